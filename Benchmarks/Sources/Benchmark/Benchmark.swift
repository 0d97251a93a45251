import ArgumentParser
import Ledger
import Postgres
import RivyaClient
import RivyaSandbox
import UsageSQL
import Worker

@main
struct Benchmark: AsyncParsableCommand {
    func run() async throws { print("nothing yet") }
}

import Postgres

/// A model that the company uses.
struct InventedModel: Sendable {
    let name: String
    let credits: Int64
    /// Of 100 tasks, how many.
    let share: Int
    let body: [UInt8]

    // Only the first price is the provider's; the others are made up.
    static let all = [
        InventedModel(
            "kling-v2-5-turbo-pro", credits: 42, share: 70, parameters: #""duration":"5","aspect_ratio":"16:9""#),
        InventedModel("kling-2-6", credits: 35, share: 20, parameters: #""duration":"5","sound":"false""#),
        InventedModel("kling-3-0", credits: 60, share: 10, parameters: #""mode":"pro","duration":"5""#),
    ]

    private init(_ name: String, credits: Int64, share: Int, parameters: String) {
        self.name = name
        self.credits = credits
        self.share = share
        let prompt = "A lighthouse in a storm, seen from the sea, the beam sweeping over high waves at dusk"
        body = Array(#"{"model":"\#(name)","prompt":"\#(prompt)",\#(parameters)}"#.utf8)
    }
}

/// Who spends: projects of very different sizes, their budgets, and how the years go.
struct InventedCompany: Sendable {
    struct Project: Sendable {
        let slug: String
        let monthLimit: Int64
        let dayLimit: Int64?
        let totalLimit: Int64?
    }

    /// What a task costs on average, rounded up.
    static let usualCredits: Int64 = 43

    let projects: [Project]
    /// How likely a task is of one of the projects up to each.
    let projectShares: [Double]
    /// The first day, in days since 2000-01-01.
    let firstDay: Int
    /// How many tasks each day has.
    let tasksOfDays: [Int]
    /// The end of the last day's story: now.
    let now: Int64

    /// - Parameter now: Microseconds since 2000-01-01 00:00 UTC.
    init(tasks: Int, months: Int, projects count: Int, now: Int64) {
        self.now = now
        // Today, or yesterday until the day's work has begun.
        let lastDay = Int((now - InventedDay.opens - 1) / InventedDay.length)
        let last = PostgresDate(daysSinceEpoch2000: lastDay)
        let monthNumber = last.year * 12 + last.month - 1 - (months - 1)
        guard let first = PostgresDate(year: monthNumber / 12, month: monthNumber % 12 + 1, day: 1) else {
            preconditionFailure("every month has a first day")
        }
        firstDay = first.daysSinceEpoch2000

        // It grows, and rests at the weekend.
        let days = lastDay - firstDay + 1
        var weights = (0..<days).map { day in
            // 2000-01-01 was a Saturday.
            (0.7 + 0.6 * Double(day) / Double(days)) * ((first.daysSinceEpoch2000 + day) % 7 < 2 ? 0.4 : 1)
        }
        weights[days - 1] *= InventedDay.share(until: now - Int64(lastDay) * InventedDay.length)
        let whole = weights.reduce(0, +)
        var sum = 0.0
        var given = 0
        let tasksOfDays = weights.indices.map { day in
            sum += weights[day]
            let upToNow = day == days - 1 ? tasks : Int(Double(tasks) * sum / whole)
            defer { given = upToNow }
            return upToNow - given
        }
        self.tasksOfDays = tasksOfDays

        // The tenth project has about half the tasks of the first, the hundredth a tenth.
        let sizes = (0..<count).map { 1 / Double($0 + 10) }
        let size = sizes.reduce(0, +)
        var share = 0.0
        projectShares = sizes.map {
            share += $0 / size
            return share
        }
        // All together have more than the busiest month needs; some have much less, and are surely refused at the month's end.
        let busiest =
            Dictionary(grouping: tasksOfDays.indices) { day in
                let date = PostgresDate(daysSinceEpoch2000: first.daysSinceEpoch2000 + day)
                return date.year * 12 + date.month
            }.values.map { $0.reduce(0) { $0 + tasksOfDays[$1] } }.max() ?? 0
        projects = (0..<count).map { number in
            let month = Double(busiest * Int(InventedCompany.usualCredits)) * sizes[number] / size
            let ease = [1.6, 1.3, 1.15, 1.5, 0.75][number % 5]
            return Project(
                slug: "project-\(String(1000 + number + 1).dropFirst())",
                monthLimit: 100 + Int64(month * ease),
                dayLimit: number % 10 == 3 ? 200 + Int64(month * ease / 10) : nil,
                totalLimit: number % 25 == 7 ? 10_000 + Int64(month * ease * Double(months)) : nil)
        }
    }

    /// The project that a number from 0 to 1 stands for.
    func project(at share: Double) -> Int {
        var (low, high) = (0, projects.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if projectShares[middle] < share { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

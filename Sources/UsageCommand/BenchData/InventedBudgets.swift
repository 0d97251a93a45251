import Postgres

extension InventedBooks {
    /// Why the guard turns a request away, as the JSON of refusal.reasons; nil where it is admitted.
    mutating func refusal(of project: Int, _ amount: Int64, on today: Int) -> [UInt8]? {
        month[project].isAsked = true
        day[project].isAsked = true
        whole[project].isAsked = true
        let limits = company.projects[project]
        let (dayLimit, totalLimit) = (limits.dayLimit ?? .max, limits.totalLimit ?? .max)
        if day[project].used + amount <= dayLimit, month[project].used + amount <= limits.monthLimit,
            whole[project].used + amount <= totalLimit
        {
            return nil
        }
        let ceilings = [
            (period: "day", use: day[project], limit: dayLimit),
            (period: "month", use: month[project], limit: limits.monthLimit),
            (period: "total", use: whole[project], limit: totalLimit),
        ]
        let reasons = ceilings.filter { $0.use.used + amount > $0.limit }.map { ceiling in
            let (limit, use) = (ceiling.limit, ceiling.use)
            let members = [
                #""ceiling": "project_\#(ceiling.period)""#, #""limit_credits": \#(limit)"#,
                #""charged_credits": \#(use.charged)"#, #""held_credits": \#(use.held)"#,
                #""remaining_credits": \#(max(limit - use.used, 0))"#,
                #""resets_on": \#(resetDay(of: ceiling.period, on: today))"#,
            ]
            return "{" + members.joined(separator: ", ") + "}"
        }
        return Array(("[" + reasons.joined(separator: ", ") + "]").utf8)
    }

    private func resetDay(of period: String, on today: Int) -> String {
        switch period {
        case "day": "\"\(PostgresDate(daysSinceEpoch2000: today + 1))\""
        case "month": "\"\(PostgresDate(daysSinceEpoch2000: InventedBooks.endOfMonth(of: today)))\""
        default: "null"
        }
    }

    /// Ends the periods that end with a day, and keeps their counters.
    mutating func close(_ told: inout InventedDay, isLast: Bool) {
        let startsOn = Int32(told.number - PostgresDate(daysSinceEpoch2000: told.number).day + 1)
        let endsMonth = told.number + 1 == InventedBooks.endOfMonth(of: told.number)
        // 0001-01-01, where a total begins.
        let beginning = PostgresDate(year: 1, month: 1, day: 1).map { Int32($0.daysSinceEpoch2000) } ?? 0
        for (number, project) in company.projects.enumerated() {
            func add(_ period: String, _ startsOn: Int32, _ use: Use) {
                guard use.isAsked else { return }
                told.counters.append(
                    InventedDay.Counter(
                        project: number, period: period, startsOn: startsOn, held: use.held, charged: use.charged))
            }
            if project.dayLimit != nil { add("day", Int32(told.number), day[number]) }
            if endsMonth || isLast { add("month", startsOn, month[number]) }
            if isLast, project.totalLimit != nil { add("total", beginning, whole[number]) }
            day[number] = Use()
            if endsMonth { month[number] = Use() }
        }
    }

    private static func endOfMonth(of day: Int) -> Int {
        let date = PostgresDate(daysSinceEpoch2000: day)
        let next = PostgresDate(year: date.month == 12 ? date.year + 1 : date.year, month: date.month % 12 + 1, day: 1)
        guard let next else { preconditionFailure("every month has a first day") }
        return next.daysSinceEpoch2000
    }
}

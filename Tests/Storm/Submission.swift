import Foundation

/// A request of a caller.
struct Draft: Sendable, Hashable {
    let wallet: String
    let id: String
    /// Drafts of one id but another variant ask for something else, which is a conflict.
    let variant: Int
    let project: String
    let model: String
    let duration: String?
    let hasReference: Bool

    var prompt: String { "Scene \(id), take \(variant)" }
}

/// One run of `usage submit`: a single request or a file of them.
struct Submission: Sendable {
    let number: Int
    let drafts: [Draft]
    /// When the caller is killed; nil where it may finish.
    let killAfter: Double?

    var isFile: Bool { drafts.count > 1 }
    var wallet: String { drafts[0].wallet }
}

extension Plan {
    /// The n-th submission.
    func submission(_ number: Int) -> Submission {
        var random = Random(seed: seed, .submission, number)
        let (wallet, count) = shape(of: number)
        let drafts = (0..<count).map { place -> Draft in
            // Some ask again what another asked shortly before, and some of these for something else.
            guard random.chance(0.12), number > 0 else { return draft(number, place, variant: 0) }
            let earlier = max(0, number - random.int(1...6))
            let (otherWallet, otherCount) = shape(of: earlier)
            guard otherWallet.slug == wallet.slug else { return draft(number, place, variant: 0) }
            return draft(earlier, place % otherCount, variant: random.chance(0.25) ? 1 : 0)
        }
        return Submission(
            number: number, drafts: drafts, killAfter: random.chance(0.12) ? random.double(0.02...0.5) : nil)
    }

    private func shape(of number: Int) -> (wallet: Wallet, count: Int) {
        var random = Random(seed: seed, .submission, number, 1)
        return (random.pick(wallets), random.chance(0.7) ? 1 : random.int(2...20))
    }

    private func draft(_ number: Int, _ place: Int, variant: Int) -> Draft {
        var random = Random(seed: seed, .draft, number, place)
        let wallet = shape(of: number).wallet
        let isVideo = random.chance(0.8)
        return Draft(
            wallet: wallet.slug, id: "\(number)-\(place)", variant: variant, project: random.pick(wallet.projects),
            model: isVideo ? "kling-v2-5-turbo-pro" : "z-image",
            duration: isVideo && random.chance(0.2) ? random.pick(["5", "10"]) : nil,
            hasReference: isVideo && random.chance(0.08))
    }
}

extension Draft {
    /// The arguments of `usage submit` for this request alone.
    func arguments(reference: String) -> [String] {
        var all = [
            "submit", "--wallet", wallet, "--format", "json", "--project", project, "--model", model, "--prompt",
            prompt,
            "--client-request-id", id,
        ]
        if let duration { all += ["--duration", duration] }
        if hasReference { all += ["--reference", reference] }
        return all
    }

    /// A line of a file of requests.
    func line(reference: String) -> String {
        let params = duration.map { ", \"params\": {\"duration\": \"\($0)\"}" } ?? ""
        let references = hasReference ? ", \"references\": [\"\(reference)\"]" : ""
        return "{\"project\": \"\(project)\", \"model\": \"\(model)\", \"prompt\": \"\(prompt)\", "
            + "\"client_request_id\": \"\(id)\"\(params)\(references)}\n"
    }
}

/// A model in the provider's list.
public struct Model: Sendable, Equatable {
    /// The id that requests name it by.
    public let id: String
    /// Its name for people.
    public let displayName: String?
    /// What it makes: `image`, `video`, `audio`.
    public let category: String?
    /// A planning hint, never a price: the task's own ``Generation/reservedCredits`` binds.
    public let baseCredits: Int64?
    /// `FIXED` or `METERED`.
    public let billingType: String?
    /// `available`, `coming_soon` or `studio_only`; only the first can be called.
    public let apiStatus: String?
    /// The longest prompt, if there is a limit.
    public let maxPromptLength: Int?

    /// A model put together by hand, for tests and stand-ins.
    public init(
        id: String, displayName: String? = nil, category: String? = nil, baseCredits: Int64? = nil,
        billingType: String? = nil, apiStatus: String? = nil, maxPromptLength: Int? = nil
    ) {
        self.id = id
        self.displayName = displayName
        self.category = category
        self.baseCredits = baseCredits
        self.billingType = billingType
        self.apiStatus = apiStatus
        self.maxPromptLength = maxPromptLength
    }
}

/// An uploaded file, ready to be referred to by a request.
public struct UploadedFile: Sendable, Equatable {
    /// The address for ``MediaReference/url``.
    public let url: String
    /// The proof of a video's or audio's length; goes back as ``MediaReference/durationToken``.
    public let durationToken: String?

    /// A file put together by hand, for tests and stand-ins.
    public init(url: String, durationToken: String? = nil) {
        self.url = url
        self.durationToken = durationToken
    }
}

/// What a request asks the provider for.
package enum RequestKind: String, CaseIterable, Sendable {
    /// `POST /api/v1/generations`
    case create
    /// `GET /api/v1/generations/{taskId}`
    case status
    /// `GET /api/v1/credits`
    case credits
    /// `POST /api/v1/files`
    case upload
    /// `GET /api/v1/models`
    case models
}

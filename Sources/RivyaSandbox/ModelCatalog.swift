/// The models the sandbox plays: the fixed-price ones of the provider's API pages, and three metered ones that are
/// listed only, because their price cannot be known beforehand.
enum ModelCatalog {
    static let all = kling + images + videos + metered
    static let byID = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })

    private static let onOff: ProviderModel.ParameterRule = .select(["false", "true"])
    private static let wideSquareTall: ProviderModel.ParameterRule = .select(["16:9", "1:1", "9:16"])
    private static let seed: ProviderModel.ParameterRule = .wholeNumber(0...2_147_483_647)
    private static let klingTurbo: [String: ProviderModel.ParameterRule] = [
        "duration": .select(["5", "10"]), "aspect_ratio": wideSquareTall, "negative_prompt": .text,
        "cfg_scale": .number(0...1),
    ]

    private static let kling = [
        ProviderModel(
            id: "kling-v2-5-turbo-pro", name: "Kling V2.5 Turbo Pro", category: "video", baseCredits: 42,
            promptLimit: 2500, parameters: klingTurbo, references: .init(count: 2)),
        ProviderModel(
            id: "kling-2-6", name: "Kling 2.6", category: "video", baseCredits: 55, promptLimit: 1000,
            parameters: ["duration": .select(["5", "10"]), "sound": onOff, "aspect_ratio": wideSquareTall],
            references: .init(count: 1)),
        ProviderModel(
            id: "kling-3-0", name: "Kling 3.0", category: "video", baseCredits: 90, promptLimit: 2000,
            parameters: [
                "mode": .select(["pro", "std"]), "multi_shots": onOff, "duration": .select((3...15).map(String.init)),
                "sound": onOff, "aspect_ratio": wideSquareTall,
            ], references: .init(count: 2)),
        ProviderModel(
            id: "kling-v2-1-master", name: "Kling V2.1 Master", category: "video", baseCredits: 160,
            promptLimit: 5000, parameters: klingTurbo, references: .init(count: 1)),
    ]

    private static let images = [
        ProviderModel(
            id: "z-image", name: "Z-Image", category: "image", baseCredits: 1, promptLimit: 1000,
            parameters: ["aspect_ratio": .select(["1:1", "4:3", "3:4", "16:9", "9:16"])]),
        ProviderModel(
            id: "4o-image", name: "4o Image", category: "image", baseCredits: 3, promptLimit: nil,
            parameters: ["size": .select(["1:1", "3:2", "2:3"])]),
        ProviderModel(
            id: "nano-banana", name: "Nano Banana", category: "image", baseCredits: 3, promptLimit: 5000,
            parameters: [
                "imageSize": .select([
                    "1:1", "9:16", "16:9", "3:4", "4:3", "3:2", "2:3", "5:4", "4:5", "21:9", "auto",
                ]),
                "output_format": .select(["png", "jpeg"]),
            ], references: .init(count: 10)),
        ProviderModel(
            id: "nano-banana-pro", name: "Nano Banana Pro", category: "image", baseCredits: 8, promptLimit: 10_000,
            parameters: [
                "aspect_ratio": .select([
                    "1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "auto",
                ]),
                "resolution": .select(["1K", "2K", "4K"]), "output_format": .select(["png", "jpg"]),
            ], references: .init(count: 8, maximumBytes: [.image: 30 * 1024 * 1024])),
    ]

    private static let videos = [
        ProviderModel(
            id: "veo3-1-lite", name: "Veo 3.1 Lite", category: "video", baseCredits: 10, promptLimit: 5000,
            parameters: [
                "aspectRatio": .select(["16:9", "9:16", "Auto"]), "watermark": .text,
                "seeds": .wholeNumber(10_000...99_999), "enableTranslation": onOff,
            ], references: .init(count: 2)),
        ProviderModel(
            id: "sora-2-pro", name: "Sora 2 Pro", category: "video", baseCredits: 75, promptLimit: 10_000,
            parameters: [
                "size": .select(["standard", "high"]), "n_frames": .select(["10", "15"]),
                "aspect_ratio": .select(["landscape", "portrait"]), "remove_watermark": onOff,
                "upload_method": .select(["s3", "oss"]),
            ], references: .init(count: 1)),
        ProviderModel(
            id: "wan-2-5-video", name: "Wan 2.5 Video", category: "video", baseCredits: 60, promptLimit: 5000,
            parameters: [
                "resolution": .select(["720p", "1080p"]), "duration": .select(["5", "10"]),
                "aspect_ratio": wideSquareTall, "enable_prompt_expansion": onOff, "seed": seed,
                "negative_prompt": .text, "nsfw_checker": onOff,
            ], references: .init(count: 1)),
        ProviderModel(
            id: "wan-2-6", name: "Wan 2.6", category: "video", baseCredits: 70, promptLimit: 5000,
            parameters: ["resolution": .select(["720p", "1080p"]), "duration": .select(["5", "10", "15"])],
            references: .init(count: 1, kinds: [.image, .video], maximumBytes: [.video: 10 * 1024 * 1024])),
        ProviderModel(
            id: "happyhorse-1-0", name: "HappyHorse 1.0", category: "video", baseCredits: 28, promptLimit: 5000,
            parameters: [
                "resolution": .select(["1080p", "720p"]),
                "aspect_ratio": .select(["16:9", "9:16", "1:1", "4:3", "3:4"]), "duration": .wholeNumber(3...15),
                "audio_setting": .select(["auto", "origin"]), "seed": seed,
            ],
            references: .init(count: 9, kinds: [.image, .video], maximumBytes: [.video: 95 * 1024 * 1024])),
        ProviderModel(
            id: "seedance-1-0-pro", name: "Seedance 1.0 Pro", category: "video", baseCredits: 25,
            promptLimit: 10_000,
            parameters: [
                "resolution": .select(["720p", "480p", "1080p"]), "duration": .select(["5", "10"]),
                "aspect_ratio": .select(["16:9", "21:9", "4:3", "1:1", "3:4", "9:16"]), "camera_fixed": onOff,
                "seed": .wholeNumber(-1...2_147_483_647), "enable_safety_checker": onOff,
            ], references: .init(count: 1)),
        ProviderModel(
            id: "seedance-1-5-pro", name: "Seedance 1.5 Pro", category: "video", baseCredits: 28, promptLimit: 2500,
            parameters: [
                "resolution": .select(["720p", "480p", "1080p"]), "duration": .select(["8", "4", "12"]),
                "generate_audio": onOff, "aspectRatio": .select(["1:1", "4:3", "3:4", "16:9", "9:16", "21:9"]),
                "fixed_lens": onOff,
            ], references: .init(count: 2)),
        ProviderModel(
            id: "seedance-2", name: "Seedance 2", category: "video", baseCredits: 175, promptLimit: 2500,
            parameters: [
                "seedance_scene": .select(["text", "frames", "reference"]), "resolution": .select(["720p", "480p"]),
                "aspect_ratio": .select(["16:9", "1:1", "4:3", "3:4", "9:16", "21:9", "adaptive"]),
                "duration": .wholeNumber(4...15), "generate_audio": onOff, "return_last_frame": onOff,
            ]),
        ProviderModel(
            id: "seedance-2-fast", name: "Seedance 2 Fast", category: "video", baseCredits: 140, promptLimit: 2500,
            parameters: ["seedance_scene": .select(["text", "frames", "reference"])]),
        ProviderModel(
            id: "hailuo-pro", name: "Hailuo Pro", category: "video", baseCredits: 57, promptLimit: 1500,
            parameters: ["prompt_optimizer": onOff], references: .init(count: 2)),
    ]

    private static let metered = [
        ("elevenlabs-turbo-2-5", "ElevenLabs Turbo 2.5", 6),
        ("elevenlabs-sound-effect-v2", "ElevenLabs Sound Effect V2", 3),
        ("elevenlabs-dialogue-v3", "ElevenLabs Dialogue V3", 14),
    ].map { id, name, credits in
        ProviderModel(
            id: id, name: name, category: "audio", baseCredits: credits, isFixedPrice: false, promptLimit: nil)
    }
}

extension ModelContract {
    /// Kling V2.5 Turbo Pro: video from text, or from one or two images.
    public static let klingV25TurboPro = ModelContract(
        model: "kling-v2-5-turbo-pro", maximumPromptLength: 2500, parameters: klingParameters, references: .images(2))

    /// Every model whose parameters are documented in full.
    ///
    /// Source: section 14 of the provider's API reference, options with the default first. Left out because the
    /// reference does not list everything, or ties parameters to each other: `seedance-2`, `seedance-2-fast`, and
    /// `happyhorse-1-0`, whose number of images depends on a video beside them.
    public static let documented: [ModelContract] = [
        klingV25TurboPro,
        ModelContract(
            model: "kling-v2-1-master", maximumPromptLength: 5000, parameters: klingParameters, references: .images(1)),
        ModelContract(
            model: "kling-2-6", maximumPromptLength: 1000,
            parameters: [
                "duration": .option(["5", "10"]), "sound": flag, "aspect_ratio": .option(["1:1", "16:9", "9:16"]),
            ], references: .images(1)),
        ModelContract(
            model: "kling-3-0", maximumPromptLength: 2000,
            parameters: [
                "mode": .option(["pro", "std"]), "multi_shots": flag,
                "duration": .option(["5"] + [3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map(String.init)),
                "sound": flag, "aspect_ratio": .option(["16:9", "9:16", "1:1"]),
            ], references: .images(2)),
        ModelContract(
            model: "z-image", maximumPromptLength: 1000,
            parameters: ["aspect_ratio": .option(["1:1", "4:3", "3:4", "16:9", "9:16"])], references: .none),
        ModelContract(
            model: "4o-image", maximumPromptLength: nil, parameters: ["size": .option(["1:1", "3:2", "2:3"])],
            references: .none),
        ModelContract(
            model: "nano-banana", maximumPromptLength: 5000,
            parameters: [
                "imageSize": .option([
                    "1:1", "9:16", "16:9", "3:4", "4:3", "3:2", "2:3", "5:4", "4:5", "21:9", "auto",
                ]),
                "output_format": .option(["png", "jpeg"]),
            ], references: .images(10)),
        ModelContract(
            model: "nano-banana-pro", maximumPromptLength: 10_000,
            parameters: [
                "aspect_ratio": .option([
                    "1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "auto",
                ]),
                "resolution": .option(["1K", "2K", "4K"]), "output_format": .option(["png", "jpg"]),
            ], references: .images(8, maximumBytes: 30_000_000)),
        ModelContract(
            model: "veo3-1-lite", maximumPromptLength: 5000,
            parameters: [
                "aspectRatio": .option(["16:9", "9:16", "Auto"]), "watermark": .text,
                "seeds": .wholeNumber(10_000...99_999), "enableTranslation": .option(["true", "false"]),
            ], references: .images(2)),
        ModelContract(
            model: "sora-2-pro", maximumPromptLength: 10_000,
            parameters: [
                "size": .option(["standard", "high"]), "n_frames": .option(["10", "15"]),
                "aspect_ratio": .option(["landscape", "portrait"]), "remove_watermark": flag,
                "upload_method": .option(["s3", "oss"]),
            ], references: .images(1)),
        ModelContract(
            model: "wan-2-5-video", maximumPromptLength: 5000,
            parameters: [
                "resolution": .option(["720p", "1080p"]), "duration": .option(["5", "10"]),
                "aspect_ratio": .option(["16:9", "9:16", "1:1"]), "enable_prompt_expansion": flag, "seed": seed,
                "negative_prompt": .text, "nsfw_checker": flag,
            ], references: .images(1)),
        ModelContract(
            model: "wan-2-6", maximumPromptLength: 5000,
            parameters: ["resolution": .option(["720p", "1080p"]), "duration": .option(["5", "10", "15"])],
            references: ReferenceRule(
                maximumCount: 1, kinds: ["image", "video"],
                contentTypes: [
                    "image/jpeg", "image/png", "image/webp", "video/mp4", "video/quicktime", "video/webm",
                ], maximumBytes: 10_000_000)),
        ModelContract(
            model: "seedance-1-0-pro", maximumPromptLength: 10_000,
            parameters: [
                "resolution": .option(["720p", "480p", "1080p"]), "duration": .option(["5", "10"]),
                "aspect_ratio": .option(["16:9", "21:9", "4:3", "1:1", "3:4", "9:16"]), "camera_fixed": flag,
                "seed": .wholeNumber(-1...2_147_483_647), "enable_safety_checker": .option(["true", "false"]),
            ], references: .images(1)),
        ModelContract(
            model: "seedance-1-5-pro", maximumPromptLength: 2500,
            parameters: [
                "resolution": .option(["720p", "480p", "1080p"]), "duration": .option(["8", "4", "12"]),
                "generate_audio": flag, "aspectRatio": .option(["1:1", "4:3", "3:4", "16:9", "9:16", "21:9"]),
                "fixed_lens": flag,
            ], references: .images(2)),
        ModelContract(
            model: "hailuo-pro", maximumPromptLength: 1500, parameters: ["prompt_optimizer": flag],
            references: .images(2)),
    ]

    private static let klingParameters: [String: ParameterRule] = [
        "duration": .option(["5", "10"]),
        "aspect_ratio": .option(["16:9", "9:16", "1:1"]),
        "negative_prompt": .text,
        "cfg_scale": .number(0...1),
    ]
    private static let flag = ParameterRule.option(["false", "true"])
    private static let seed = ParameterRule.wholeNumber(0...2_147_483_647)
}

# syntax=docker/dockerfile:1
# Both stages are Debian 12, so the binary finds the C library it was linked with.
FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libpq-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# A layer of its own: the dependencies are fetched again only when the manifest changes.
COPY Package.* ./
RUN swift package resolve
COPY . .
RUN swift build -c release --product usage --static-swift-stdlib \
    && install -D --strip "$(swift build -c release --static-swift-stdlib --show-bin-path)/usage" /out/usage

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libpq5 tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /home/usage --shell /usr/sbin/nologin usage
COPY --from=build /out/usage /usr/local/bin/usage
USER usage
WORKDIR /home/usage
ENTRYPOINT ["usage"]
CMD ["--help"]

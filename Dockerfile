# The binaries: `iron` (panel, proxy, both) and `iron-sandbox`. Build it from the repository's root:
#   docker build -t iron-cage .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release -p iron_cli -p iron_sandbox --bins

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/iron-cage iron
COPY --from=build /src/target/release/iron /src/target/release/iron-sandbox /usr/local/bin/
USER iron
WORKDIR /var/lib/iron-cage
ENTRYPOINT ["iron"]
CMD ["--help"]

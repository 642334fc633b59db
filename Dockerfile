FROM rust:1.95-bookworm AS builder
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package stanch-engine-cli

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin stanch \
    && install --directory --owner stanch --group stanch --mode 0700 /data \
    && install --directory /etc/stanch
COPY --from=builder /src/target/release/stanch /usr/local/bin/stanch
COPY playbooks /usr/share/stanch/playbooks
COPY LICENSE /usr/share/doc/stanch/LICENSE

ENV STANCH_LISTEN=0.0.0.0:8080 STANCH_DATA_DIR=/data
USER stanch
# `stanch.toml` is read from the working directory, if it is there.
WORKDIR /etc/stanch
VOLUME /data
EXPOSE 8080

# The image has no HTTP client, and bash can speak enough HTTP for this.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]

ENTRYPOINT ["stanch"]
CMD ["serve"]

# syntax=docker/dockerfile:1
# docker build -t auditferry .        (needs BuildKit, the default of Docker 23 and newer)

FROM rust:1.95-bookworm AS build
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    cargo install cargo-auditable@0.7.7 --locked
WORKDIR /src
COPY . .
# The registry and the compiled dependencies stay in BuildKit's cache between
# builds. Only the program itself is always compiled anew: the touch makes that
# independent of the files' times. The list of its crates is inside, for scanners
# of images (cargo auditable).
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    touch src/lib.rs src/main.rs crates/core/src/lib.rs \
    && cargo auditable build --profile dist --locked --no-default-features --bin auditferry \
    && install -D target/dist/auditferry /out/usr/local/bin/auditferry \
    && install -d /out/var/lib/auditferry

# glibc, libgcc, CA certificates; no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="auditferry" \
      org.opencontainers.image.description="Delivers every account's audit log to the account's own bucket, on schedule" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/usr/local/bin/auditferry /usr/local/bin/auditferry
COPY --from=build --chown=65532:65532 /out/var/lib/auditferry /var/lib/auditferry
# The settings' defaults listen on loopback; in a container that reaches nobody.
ENV AUDITFERRY__HTTP__LISTEN=0.0.0.0:9464
# The only folder that is written to, and only with a SQLite ledger: the root
# file system may be read-only.
WORKDIR /var/lib/auditferry
VOLUME /var/lib/auditferry
EXPOSE 9464
# By number, so that Kubernetes can see that it is not root (65532 is nonroot).
USER 65532:65532
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/auditferry", "health"]
ENTRYPOINT ["/usr/local/bin/auditferry"]
CMD ["run"]

# An image with numcheck and what it needs, no Swift: docker build -t numcheck .
FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libmpfr-dev zlib1g-dev libsqlite3-dev pkg-config python3 make \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN make install PREFIX=/usr/local DESTDIR=/out

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libmpfr6 libgmp10 libsqlite3-0 zlib1g libstdc++6 git git-lfs \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/usr/local /usr/local
WORKDIR /repository
ENTRYPOINT ["numcheck"]
CMD ["gate"]

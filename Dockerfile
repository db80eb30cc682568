# Images with nphd, for the PostgreSQL major that is named (15 to 18):
#
#   docker build --build-arg PG_MAJOR=17 --tag postgres-nphd:17 .                       the official image, and nphd in it
#   docker build --build-arg PG_MAJOR=18 --target extension --tag nphd-extension:18 .   the extension alone: /lib and /share/extension
#
# The second is mounted as a volume beside a server that finds it by `extension_control_path` and `dynamic_library_path` (PostgreSQL 18;
# CloudNativePG: image volume extensions). It has no system of its own: build it on the Debian that the server's image is of, since the
# module is linked with that libstdc++.
ARG PG_MAJOR=17
ARG DEBIAN=bookworm

FROM postgres:${PG_MAJOR}-${DEBIAN} AS build
ARG PG_MAJOR
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ make "postgresql-server-dev-${PG_MAJOR}" \
    && rm -rf /var/lib/apt/lists/*
COPY . /src
WORKDIR /build
RUN pg_config="/usr/lib/postgresql/${PG_MAJOR}/bin/pg_config" \
    && make -j "$(nproc)" -f /src/Makefile VPATH=/src PG_CONFIG="$pg_config" all \
    && make -f /src/Makefile VPATH=/src PG_CONFIG="$pg_config" install DESTDIR=/installed \
    && strip --strip-debug "/installed$("$pg_config" --pkglibdir)/nphd.so" \
    && mkdir -p /extension/lib /extension/share/extension \
    && cp "/installed$("$pg_config" --pkglibdir)/nphd.so" /extension/lib/ \
    && cp "/installed$("$pg_config" --sharedir)"/extension/nphd* /extension/share/extension/

FROM scratch AS extension
COPY --from=build /extension/ /

FROM postgres:${PG_MAJOR}-${DEBIAN}
COPY --from=build /installed/ /

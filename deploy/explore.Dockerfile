# syntax=docker/dockerfile:1
# Build from the repository's root:  docker build -f deploy/explore.Dockerfile .
# STORES: the databases whose clients are in the image; without milvus, which brings the embedded one, it is much smaller.

ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS source
WORKDIR /src
COPY . .

FROM source AS build
ARG STORES=milvus,typesense,tidb,weaviate
RUN python -m venv --without-pip /opt/vecmod \
 && pip --python /opt/vecmod/bin/python install --no-cache-dir --constraint requirements.lock ".[explore,media,${STORES}]"

FROM ${PYTHON}
# The second is for a volume, with the database and the files that were imported.
RUN useradd --uid 1000 --no-create-home vecmod \
 && install --directory --owner=vecmod /data
ARG PYTHON
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="vecmod-explore" \
      org.opencontainers.image.description="A page to import media and to search them by words, pictures, sounds and films" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/vecmod/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    VECMOD_STORE=/data/vecmod.db \
    VECMOD_EXPLORE_FOLDER=/data/media
# A number, or Kubernetes could not tell that it is not root.
USER 1000
EXPOSE 8765
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/api/status', timeout=4)"]
COPY --from=build /opt/vecmod /opt/vecmod
CMD ["vecmod", "explore", "--host", "0.0.0.0", "--port", "8765"]

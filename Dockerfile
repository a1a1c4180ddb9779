# Built in one stage, run in another: the image that runs has no compiler and no build tools.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements.lock ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY app app
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
# libseccomp lets the worker processes give up opening connections
RUN apt-get update \
 && apt-get install -y --no-install-recommends libseccomp2 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /data lifetec \
 && install -d -o lifetec -g lifetec /data
COPY --from=build /venv /venv
COPY ontology /srv/ontology
COPY shapes /srv/shapes
COPY data /srv/data
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LIFETEC_DATA_DIR=/data \
    LIFETEC_ONTOLOGY_DIR=/srv/ontology \
    LIFETEC_SHAPES_DIR=/srv/shapes \
    LIFETEC_SEED_DIR=/srv/data \
    LIFETEC_HOST=0.0.0.0
USER lifetec
VOLUME /data
EXPOSE 8000
HEALTHCHECK --start-period=120s --interval=15s --timeout=5s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
CMD ["lifetec", "serve"]

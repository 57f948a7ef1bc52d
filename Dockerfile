# The service and its worker: make image. What must be set, and how it is run without root, is in docs/containers.md.
# By digest where you mirror the base: --build-arg PYTHON_IMAGE=python:3.11.14-slim-bookworm@sha256:…
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv /build && /build/bin/pip install --require-hashes -r requirements/build.lock \
    && python -m venv /opt/lossnlp && /opt/lossnlp/bin/pip install --require-hashes -r requirements/serve.lock
COPY pyproject.toml README.md LICENSE ./
COPY lossnlp/ lossnlp/
COPY lossnlp_spark/ lossnlp_spark/
COPY serving/ serving/
COPY training/ training/
COPY models/ models/
ARG SOURCE_DATE_EPOCH=1735689600
RUN /build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /dist . \
    && /opt/lossnlp/bin/pip install --no-deps --no-index /dist/*.whl \
    && /opt/lossnlp/bin/pip uninstall --yes pip \
    && install -d -o 10001 -g 10001 /state

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="lossnlp" \
      org.opencontainers.image.description="Reads lost B2B deals and says, with evidence, why they were really lost" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/lossnlp /opt/lossnlp
COPY --from=build --chown=10001:10001 /state /var/lib/lossnlp
ENV PATH=/opt/lossnlp/bin:$PATH \
    HOME=/tmp \
    LOSSNLP_VAR_DIR=/var/lib/lossnlp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/lossnlp
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["lossnlp-serve"]
CMD ["run", "--host", "0.0.0.0"]

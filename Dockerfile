# Packtrain in a virtual environment, run by a user that is not root; docs/guides/containers-and-clusters.md.
#
#     docker build --tag packtrain .                                  for NVIDIA GPUs, and without one too
#     docker build --tag packtrain --build-arg VARIANT=cpu --build-arg INDEX=URL .
#
# Without CUDA's libraries, Triton and gcc; URL is the index of PyTorch's CPU builds, which its page "Get Started" names.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ARG VARIANT=cuda
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY scripts/image/${VARIANT}.txt /src/requirements.txt
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv /build \
    && grep '^setuptools==' /src/requirements.txt >/src/setuptools.txt \
    && /build/bin/pip install --require-hashes --no-deps --requirement /src/setuptools.txt
COPY pyproject.toml README.md LICENSE /src/
COPY conf /src/conf
COPY kernels /src/kernels
COPY trainer /src/trainer
COPY .src /src/.src
COPY docs/reference/formulas.md /src/docs/reference/formulas.md
RUN /build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheel /src

FROM ${BASE}
ARG VARIANT=cuda
ARG INDEX=
# Triton compiles its launcher with gcc when it starts.
RUN if [ "$VARIANT" = cuda ]; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends gcc libc6-dev \
        && rm -rf /var/lib/apt/lists/*; \
    fi \
    && useradd --create-home --uid 1000 packtrain
# Nothing comes in without its hash: what has no wheel is built by the setuptools of this list. Tests (astropy imports its
# own), torch's programs but for the one that it starts, and the headers for extensions are left out. Bytecode is made by
# all processors at once; some files are templates, which have none.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=bind,from=build,source=/src,target=/src \
    export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_DEPS=1 PIP_REQUIRE_HASHES=1 PIP_NO_COMPILE=1 \
    && python3 -m venv /opt/packtrain \
    && /opt/packtrain/bin/pip install --requirement /src/setuptools.txt \
    && /opt/packtrain/bin/pip install --no-build-isolation ${INDEX:+--extra-index-url "$INDEX"} \
        --requirement /src/requirements.txt \
    && cd /opt/packtrain/lib/python3*/site-packages \
    && rm -rf torch/test torch/include pyarrow/include pyarrow/src \
    && find torch/bin -type f ! -name torch_shm_manager -delete \
    && find . -type d -name tests ! -path './astropy/*' -prune -exec rm -rf {} + \
    && { /opt/packtrain/bin/python -m compileall -q -j 0 . >/dev/null || true; }
RUN --mount=type=bind,from=build,source=/wheel,target=/wheel \
    /opt/packtrain/bin/pip install --no-cache-dir --no-index --no-deps /wheel/*.whl

# A number, so that Kubernetes sees that it isn't root.
USER 1000
WORKDIR /home/packtrain
ENV PATH=/opt/packtrain/bin:$PATH PYTHONUNBUFFERED=1
# On a processor of another kind the first training compiles again.
RUN mkdir outputs service data && python -m packtrain.kernels.warm
VOLUME /home/packtrain/outputs /home/packtrain/service

# The service's, and TensorBoard's.
EXPOSE 7070 6006
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7070/healthz', timeout=4)"]
ENTRYPOINT ["packtrain"]

ARG BASE REVISION=
LABEL org.opencontainers.image.title="packtrain" \
    org.opencontainers.image.description="Trains equations and MLPs, many runs as one program" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.base.name="$BASE"

# Packtrain in a virtual environment, run by a user that is not root; docs/guides/containers-and-clusters.md.
#
#     docker build --tag packtrain .                                  for NVIDIA GPUs, and without one too
#     docker build --tag packtrain --build-arg VARIANT=cpu --build-arg INDEX=URL .
#
# Without CUDA's libraries, Triton and gcc; URL is the index of PyTorch's CPU builds, which its page "Get Started" names.
ARG BASE=python:3.11-slim

FROM scratch AS source
ARG VARIANT=cuda
COPY scripts/image/${VARIANT}.txt /locked/requirements.txt
COPY pyproject.toml README.md LICENSE /packtrain/
COPY conf /packtrain/conf
COPY kernels /packtrain/kernels
COPY trainer /packtrain/trainer
COPY .src /packtrain/.src
COPY docs/reference/formulas.md /packtrain/docs/reference/formulas.md

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
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=bind,from=source,source=/locked,target=/locked \
    export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_DEPS=1 PIP_REQUIRE_HASHES=1 PIP_NO_COMPILE=1 \
    && python3 -m venv /opt/packtrain \
    && grep '^setuptools==' /locked/requirements.txt >/tmp/setuptools.txt \
    && /opt/packtrain/bin/pip install --requirement /tmp/setuptools.txt && rm /tmp/setuptools.txt \
    && /opt/packtrain/bin/pip install --no-build-isolation ${INDEX:+--extra-index-url "$INDEX"} \
        --requirement /locked/requirements.txt \
    && cd /opt/packtrain/lib/python3*/site-packages \
    && rm -rf torch/test torch/include pyarrow/include pyarrow/src \
    && find torch/bin -type f ! -name torch_shm_manager -delete \
    && find . -type d -name tests ! -path './astropy/*' -prune -exec rm -rf {} + \
    && { /opt/packtrain/bin/python -m compileall -q -j 0 . >/dev/null || true; }
# Built of a copy, since it writes beside the sources.
RUN --mount=type=bind,from=source,source=/packtrain,target=/source \
    cp -r /source /tmp/packtrain \
    && /opt/packtrain/bin/pip install --no-cache-dir --no-index --no-deps --no-build-isolation /tmp/packtrain \
    && rm -r /tmp/packtrain

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

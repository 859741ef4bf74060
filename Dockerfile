# Packtrain in a virtual environment, run by a user that is not root; docs/guides/containers-and-clusters.md.
#
#     docker build --tag packtrain .                                  for NVIDIA GPUs, and without one too
#     docker build --tag packtrain --build-arg VARIANT=cpu --build-arg INDEX=URL .
#
# A third of the size; URL is the index of PyTorch's CPU builds, which its page "Get Started" names.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ARG VARIANT=cuda
ARG INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY scripts/image/${VARIANT}.txt /src/requirements.txt
# Built where a package has no wheel, by the setuptools of this list alone: nothing comes in without its hash.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv /opt/packtrain \
    && grep '^setuptools==' /src/requirements.txt >/src/setuptools.txt \
    && for list in setuptools requirements; do \
        /opt/packtrain/bin/pip install --require-hashes --no-deps ${INDEX:+--extra-index-url "$INDEX"} \
        --no-build-isolation --requirement "/src/$list.txt" || exit; \
    done

COPY pyproject.toml README.md LICENSE /src/
COPY conf /src/conf
COPY kernels /src/kernels
COPY trainer /src/trainer
COPY .src /src/.src
COPY docs/reference/formulas.md /src/docs/reference/formulas.md
RUN /opt/packtrain/bin/pip install --no-index --no-deps --no-build-isolation /src

FROM ${BASE}
ARG VARIANT=cuda
# Triton compiles its launcher with gcc when it starts.
RUN if [ "$VARIANT" = cuda ]; then \
        apt-get update \
        && apt-get install --yes --no-install-recommends gcc libc6-dev \
        && rm -rf /var/lib/apt/lists/*; \
    fi \
    && useradd --create-home --uid 1000 packtrain
COPY --from=build /opt/packtrain /opt/packtrain

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

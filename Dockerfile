# Packtrain in a virtual environment, run by a user that is not root.
FROM python:3.11-slim

# Triton compiles its launcher with gcc when it starts.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home packtrain
WORKDIR /home/packtrain
ENV PATH=/opt/packtrain/bin:$PATH PYTHONUNBUFFERED=1

COPY pyproject.toml constraints.txt README.md LICENSE /src/
COPY conf /src/conf
COPY kernels /src/kernels
COPY trainer /src/trainer
COPY .src /src/.src
COPY docs/reference/formulas.md /src/docs/reference/formulas.md
RUN python -m venv /opt/packtrain \
    && pip install --no-cache-dir --constraint /src/constraints.txt '/src[all]' \
    && rm -rf /src

USER packtrain
# On a processor of another kind the first training compiles again.
RUN mkdir outputs service data && python -m packtrain.kernels.warm
VOLUME /home/packtrain/outputs /home/packtrain/service

# The service's, and TensorBoard's.
EXPOSE 7070 6006
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7070/healthz', timeout=4)"]

ENTRYPOINT ["packtrain"]

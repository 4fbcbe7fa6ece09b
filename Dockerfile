# docker build --target cpu -t pysces:cpu .     then: docker run --rm --user $(id -u) -v "$PWD:/data" pysces:cpu demo
# docker build --target cuda -t pysces:cuda .   then: docker run --rm --gpus all pysces:cuda status

# glibc 2.36; MLX needs 2.35 or later
FROM python:3.12-slim-bookworm AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY pysces pysces
COPY kernels kernels
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm AS cpu
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[dask,demo,parquet,report]"
# Caches of compiled kernels and of null distributions must be writable by any user
RUN useradd --create-home pysces && mkdir /cache /data && chmod 1777 /cache /data
ENV HOME=/home/pysces NUMBA_CACHE_DIR=/cache/numba PYSCES_CACHE_DIR=/cache/nulls MPLCONFIGDIR=/cache/matplotlib MPLBACKEND=Agg
USER pysces
WORKDIR /data
ENTRYPOINT ["pysces"]
CMD ["status"]

FROM cpu AS cuda
USER root
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[cuda]"
# What the NVIDIA container runtime hands in; the CUDA libraries themselves are Python packages
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER pysces

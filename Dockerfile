# Two images: `web` serves pages and the API (no PyTorch in it), `worker` imports, trains, detects.
#   docker build --target web -t cvtrainer-web .
#   docker build --target worker -t cvtrainer-worker .

FROM python:3.11-slim-bookworm AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CVTRAINER_HOME=/data \
    CVTRAINER_HOST=0.0.0.0 \
    CVTRAINER_STATIC_ROOT=/app/staticfiles
# tini passes SIGTERM on and collects what a killed job leaves behind.
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin cvtrainer \
    && install -d -o cvtrainer -g cvtrainer -m 0700 /data
WORKDIR /app

FROM base AS build
COPY requirements/uv.lock requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/uv.lock && uv venv /opt/venv

FROM build AS web-packages
COPY requirements/web.lock requirements/
RUN --mount=type=cache,target=/root/.cache/uv \
    UV_LINK_MODE=copy uv pip sync --python /opt/venv --require-hashes requirements/web.lock

FROM build AS worker-packages
COPY requirements/worker.lock requirements/
RUN --mount=type=cache,target=/root/.cache/uv \
    UV_LINK_MODE=copy uv pip sync --python /opt/venv --require-hashes requirements/worker.lock

# The sources with all that is made from them: the pages' packages, translations, static files.
FROM web-packages AS sources
COPY . .
RUN --mount=type=cache,target=/root/.npm --mount=type=cache,target=/root/.cache/uv \
    python -c "import sys; sys.path.insert(0, 'scripts'); import frontend; frontend.fetch_frontend('uv')" \
    && python scripts/translations.py compile \
    && SECRET_KEY=build FIELD_KEYS=build CVTRAINER_HOME=/tmp/build \
       python manage.py collectstatic --noinput --verbosity=0 --ignore=redoc --ignore=rest_framework \
    && rm -rf node_modules

FROM base AS web
COPY --from=web-packages /opt/venv /opt/venv
COPY --from=sources /app /app
USER cvtrainer
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["tini", "--"]
CMD ["python", "manage.py", "run_web"]
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "scripts/healthcheck.py", "web"]

FROM base AS worker
COPY --from=worker-packages /opt/venv /opt/venv
COPY --from=sources /app /app
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER cvtrainer
VOLUME /data
ENTRYPOINT ["tini", "--"]
CMD ["python", "manage.py", "run_worker", "imports"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "scripts/healthcheck.py", "worker"]

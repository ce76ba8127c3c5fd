# The engine in one image: `orderlog serve`, `work`, `venue`, `db`, ... Nothing in it is written to while it runs, except the
# home (/var/lib/orderlog) and /tmp, so that it runs on a read-only root filesystem.

FROM node:24-slim AS page
WORKDIR /build/web
COPY web/package.json web/package-lock.json ./
RUN npm ci
COPY web/index.html web/tsconfig.json web/vite.config.ts ./
COPY web/src ./src
RUN npm run build

FROM python:3.11-slim AS packages
WORKDIR /opt/orderlog
COPY requirements.lock ./
RUN python -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY domain ./domain
COPY application ./application
COPY projections ./projections
COPY infrastructure ./infrastructure
COPY api ./api
COPY cli ./cli
COPY migrations ./migrations
RUN .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && .venv/bin/python -m compileall -q domain application projections infrastructure api cli migrations

FROM python:3.11-slim
# The embedded PostgreSQL, for who sets no DATABASE_URL, insists on a user with a name.
RUN useradd --uid 10001 --user-group --home-dir /var/lib/orderlog --shell /usr/sbin/nologin orderlog \
    && install --directory --owner orderlog --group orderlog --mode 0700 /var/lib/orderlog
COPY --from=packages /opt/orderlog /opt/orderlog
COPY --from=page /build/web/dist /opt/orderlog/web/dist
ENV PATH=/opt/orderlog/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ORDERLOG_HOME=/var/lib/orderlog \
    ORDERLOG_HOST=0.0.0.0 \
    ORDERLOG_PORT=8000
WORKDIR /var/lib/orderlog
USER 10001:10001
VOLUME /var/lib/orderlog
EXPOSE 8000
# The process answers. Whether it can take orders is /readyz, and a load balancer's question.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/livez', timeout=3)"]
STOPSIGNAL SIGTERM
CMD ["orderlog", "serve"]

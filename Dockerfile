# One image for every service of docker-compose.yml: the command says which it is.
FROM python:3.12-slim

RUN pip install --no-cache-dir uv \
    && useradd --uid 10001 --home-dir /var/lib/wayrate --create-home wayrate \
    && install --directory --owner wayrate /var/cache/wayrate
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY storage storage
COPY ingest ingest
COPY scoring scoring
COPY pricing pricing
COPY portfolio portfolio
COPY api api
COPY simulator simulator
COPY cli cli
# Exact versions: pyproject.toml pins everything that can be installed.
RUN uv sync --no-cache --no-dev --no-editable

USER wayrate
ENV PATH="/app/.venv/bin:$PATH" XDG_CACHE_HOME=/var/cache/wayrate NUMBA_CACHE_DIR=/var/cache/wayrate/numba
EXPOSE 8080
ENTRYPOINT ["wayrate"]
CMD ["serve", "--host", "0.0.0.0"]

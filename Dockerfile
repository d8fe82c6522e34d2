# The pipeline with its pinned packages: docker build --tag trainability . && docker run --rm -v "$PWD/out:/out" trainability
FROM python:3.11-slim-bookworm

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 researcher

USER 1000
WORKDIR /home/researcher/trainability
COPY --chown=researcher . .
RUN make .venv/installed

# What the run makes is copied to /out where that is mounted.
CMD ["bash", "-c", "make repro && if [ -d /out ]; then cp -r report results /out/; fi"]

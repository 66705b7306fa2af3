#!/usr/bin/env bash
# The headline run, by one command: SmolLM2-135M tuned on ECTSum's summaries, an hour and a half on
# two cores; its parameters, metrics and report (without text) go to docs/results/ectsum-headline.
#   benchmarks/headline.sh FOLDER_OF_ECTSUM   (the folder that holds train/ and val/)
exec "$(dirname "$0")/ectsum.sh" "${1:?the folder that holds train/ and val/ of ECTSum}" \
    cpu-smollm2-ectsum-headline ectsum-headline

#!/usr/bin/env bash
# Run the headline experiment: SmolLM2-135M tuned on ECTSum's summaries, 90 minutes on two cores.
# Its parameters, metrics and report (without text) are written to docs/results/ectsum-headline.
#   benchmarks/headline.sh FOLDER_OF_ECTSUM   (the folder that holds train/ and val/)
exec "$(dirname "$0")/ectsum.sh" "${1:?the folder that holds train/ and val/ of ECTSum}" \
    cpu-smollm2-ectsum-headline ectsum-headline

#!/usr/bin/env bash
# Measure training and generation of the default model on four kinds of processor, in one table: this
# one, and this one with AVX512-BF16 but no AMX, with AVX-512 but no bfloat16, and with AVX2 only, as
# far as it supports them. Each kind is emulated for every library that selects its code by processor:
# ATen, oneDNN, MKL, Numba (this project's kernels), NumPy, OpenBLAS. Ratios are relative to stock
# SFTTrainer and to the best `generate` of the same run; speeds are medians. Takes about 15 minutes on
# two idle cores.
#   benchmarks/processors.sh [test.jsonl]   (prompts of the default test set; fictional calls without)
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
examples=${EXAMPLES:-24} prompts=${PROMPTS:-32} rounds=${ROUNDS:-3}
kinds=${KINDS:-"avx2 avx512 avx512_bf16 native"}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

imitated() {
  case $1 in
    avx2) set -- avx2 AVX2 AVX2 haswell "" Haswell "X86_V4 AVX512_ICL AVX512_SPR" ;;
    avx512) set -- avx512 AVX512_CORE AVX512 skylake-avx512 "" SkylakeX "AVX512_ICL AVX512_SPR" ;;
    avx512_bf16) set -- avx512 AVX512_CORE_BF16 AVX512 cooperlake "" Cooperlake "AVX512_ICL AVX512_SPR" ;;
    native) return ;;
    *) echo "KINDS: $1; allowed are avx2, avx512, avx512_bf16, native" >&2; exit 2 ;;
  esac
  export ATEN_CPU_CAPABILITY=$1 ONEDNN_MAX_CPU_ISA=$2 MKL_ENABLE_INSTRUCTIONS=$3
  # If NUMBA_CPU_FEATURES is unset, Numba adds the host's features to the named processor.
  export NUMBA_CPU_NAME=$4 NUMBA_CPU_FEATURES=$5 OPENBLAS_CORETYPE=$6 NPY_DISABLE_CPU_FEATURES=$7
}

for kind in $kinds; do
  (
    imitated "$kind"
    python -m benchmarks.train_throughput --examples "$examples" --max-tokens 384 --accumulation 1 \
      --variant trl "fused layers" | tail -n 1 > "$work/$kind.train.json"
    python -m benchmarks.generate_throughput --prompts "$prompts" --rounds "$rounds" \
      --batch-sizes 8 16 32 --rows 64 ${1:+--examples "$1"} | tail -n 1 > "$work/$kind.generate.json"
  )
done
python -m benchmarks.processors "$work"

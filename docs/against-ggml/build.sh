#!/usr/bin/env bash
# Builds ggml_vectors against ggml's static libraries of a finished llama.cpp build.
# usage: build.sh LLAMA_SOURCE LLAMA_BUILD [OUT]
set -euo pipefail
src=${1:?usage: build.sh LLAMA_SOURCE LLAMA_BUILD [OUT]}; build=${2:?usage: build.sh LLAMA_SOURCE LLAMA_BUILD [OUT]}
here=$(cd "$(dirname "$0")" && pwd); out=${3:-$here/ggml_vectors}
gcc -O2 -Wall -Wextra -I"$src/ggml/include" -c "$here/ggml_vectors.c" -o "$out.o"
g++ -fopenmp "$out.o" "$build/ggml/src/libggml-base.a" -lpthread -lm -ldl -o "$out"
rm "$out.o"

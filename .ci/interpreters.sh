# Sourced: the versions of Python that are there, and the instruction set of another processor.

VERSIONS=(3.11 3.12 3.13 3.14)

# The interpreters of VERSIONS on the path or in pyenv, one a line, but for the version that $1 is.
other_interpreters() {
    local version candidate own
    own=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    for version in "${VERSIONS[@]}"; do
        [ "$version" != "$own" ] || continue
        for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version"*/bin/python; do
            # pyenv puts names on the path that only say that they are none
            if "$candidate" -c 'import sys, venv; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$version" 2> /dev/null; then
                echo "found Python $version: $candidate" >&2
                "$candidate" -c 'import sys; print(sys.executable)'
                continue 2
            fi
        done
        echo "Python $version is not here" >&2
    done
}

# Run a command as on a processor that has AVX2 and nothing newer.
with_avx2() {
    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 "$@"
}

#!/usr/bin/env python3
"""The Spack recipe asks for what cmake/DunlinPackages.cmake looks for, and for nothing else when it builds.

    spack.py ROOT      prints what differs, status 1 when there is anything
"""

import ast
import pathlib
import re
import sys

# What CMake looks for -> the package that Spack has it in; None: the C library.
SPACK_NAME = {
    "PkgConfig": "pkgconfig", "Threads": None, "MPI": "mpi", "HDF5": "hdf5", "libxxhash": "xxhash", "yaml-0.1": "libyaml",
    "jansson": "jansson", "libcrypto": "openssl", "rdkafka": "librdkafka", "hwloc": "hwloc", "libutf8proc": "utf8proc",
    "libzstd": "zstd", "liblzma": "xz", "zlib": "zlib-api",
}
TOOLS = {"c", "cmake"}


def looked_for(text):
    """Names in find_package(NAME ...) and pkg_check_modules(VAR REQUIRED IMPORTED_TARGET NAME ...)."""
    names = re.findall(r"^find_package\((\S+)", text, re.M)
    for words in re.findall(r"^pkg_check_modules\(([^)]*)\)", text, re.M):
        names += [re.split("[<>=]", word)[0] for word in words.split()[1:] if word not in ("REQUIRED", "IMPORTED_TARGET")]
    return names


def asked_for(recipe):
    """Packages in depends_on("NAME@VERSION~variant", ...) without `when`."""
    calls = [node for node in ast.walk(recipe) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "depends_on"]
    return {re.match(r"[\w-]+", call.args[0].value).group(0) for call in calls
            if not any(keyword.arg == "when" for keyword in call.keywords)}


def main(root):
    cmake = (root / "cmake/DunlinPackages.cmake").read_text()
    source = (root / "deploy/spack/packages/dunlin/package.py").read_text()
    compile(source, "package.py", "exec")
    names = looked_for(cmake)
    wrong = [f"{name}: has no row in SPACK_NAME" for name in names if name not in SPACK_NAME]
    wanted = {SPACK_NAME[name] for name in names if SPACK_NAME.get(name)} | TOOLS
    asked = asked_for(ast.parse(source))
    wrong += [f"{name}: CMake looks for it, the recipe does not ask for it" for name in sorted(wanted - asked)]
    wrong += [f"{name}: the recipe asks for it, CMake does not look for it" for name in sorted(asked - wanted)]
    least = re.search(r"cmake_minimum_required\(VERSION ([\d.]+)", (root / "CMakeLists.txt").read_text()).group(1)
    if f'"cmake@{least}:"' not in source:
        wrong.append(f"cmake: CMakeLists.txt needs {least}, the recipe says something else")
    print("\n".join(wrong) or f"{len(asked)} packages, as CMake looks for")
    return 1 if wrong or not names else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))

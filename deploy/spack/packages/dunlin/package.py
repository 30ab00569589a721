"""Spack recipe of Dunlin. It builds the checkout that it lies in; see deploy/spack/README.md."""

import pathlib

from spack.package import *
from spack_repo.builtin.build_systems.cmake import CMakePackage


class Dunlin(CMakePackage):
    """Language models over message streams: MPI ranks consume Kafka partitions or recorded corpora, run a transformer
    over micro-batches, and write results, offsets and a throughput trace to HDF5, exactly once."""

    git = pathlib.Path(__file__).resolve().parents[4].as_uri()

    version("main", branch="main")

    variant("report", default=True, description="Python packages of `dunlin report` and dunlin_read.py")
    variant("broker", default=False, description="Java and Maven for `--broker local`")

    depends_on("c", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("pkgconfig", type="build")

    # One line for each library of cmake/DunlinPackages.cmake: a test compares them.
    depends_on("mpi")
    depends_on("xxhash")
    depends_on("libyaml")
    depends_on("jansson")
    depends_on("openssl")
    depends_on("librdkafka@2.0.2:")
    depends_on("hwloc@2:")
    depends_on("utf8proc")
    depends_on("zstd")
    depends_on("xz")
    depends_on("zlib-api")
    depends_on("hdf5@1.10:~mpi")  # ranks write files of their own; the parallel build buys nothing

    depends_on("python@3.11:", type="run", when="+report")
    depends_on("py-h5py", type="run", when="+report")
    depends_on("py-numpy", type="run", when="+report")
    depends_on("java@17:", type="run", when="+broker")
    depends_on("maven", type="run", when="+broker")

    def cmake_args(self):
        return [self.define("BUILD_TESTING", self.run_tests)]

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_install(self):
        """The installed program finds its own job and model, and makes whole results."""
        with working_dir("check-install", create=True):
            dunlin = Executable(self.prefix.bin.dunlin)
            dunlin("run", "jobs/tweets.yaml", "--broker", "none", "--set", "output=out")
            dunlin("verify", "out")

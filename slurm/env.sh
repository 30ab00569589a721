# shellcheck shell=bash
# The site file: what is different at every computing centre. It works as it is where programs need no modules and Slurm
# has a default partition; otherwise copy it, take the # away where needed, and give the copy:
#
#   dunlin submit jobs/tweets.yaml --site my-site.sh ...
#   DUNLIN_SITE=my-site.sh sbatch $(sed -n 's/^#SBATCH //p' my-site.sh) slurm/run.sbatch jobs/tweets.yaml ...
#
# sbatch reads its options from the head of a script only: `dunlin submit` moves the #SBATCH lines there, the second form
# gives them by hand. Everything else runs in the batch script, before the ranks.

##SBATCH --partition=gpu
##SBATCH --account=myproject
##SBATCH --qos=normal
##SBATCH --constraint=h100
##SBATCH --mail-type=FAIL,TIME_LIMIT_80
##SBATCH --mail-user=me@example.org

# module purge
# module load gcc openmpi hdf5/serial hwloc librdkafka
# export DUNLIN=$HOME/dunlin/build/release/dunlin

# The plugin by which srun starts MPI ranks (srun --mpi=list shows them); it has to be one that the MPI library speaks.
export DUNLIN_MPI=${DUNLIN_MPI:-pmix}

# More options for srun, in words. No --gpu-bind and no --gpus-per-task here: every rank has to see all GPUs of its node.
export DUNLIN_SRUN=${DUNLIN_SRUN:-}

# Requeues after which a job gives up: a safety net for time limits too short to get anything done.
export DUNLIN_RESTARTS=${DUNLIN_RESTARTS:-1000}

# Lustre and other file systems without flock: HDF5 1.10 locks files that nobody else opens.
# export HDF5_USE_FILE_LOCKING=FALSE

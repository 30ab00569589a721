/* The same cases for every backend and every number of ranks: what a collective gives is computed
 * here from rank and size, so self (alone) and MPI (under mpirun) are held to one answer. */
#include "comm/comm.h"
#include "base/clock.h"
#include "base/memory.h"
#include "test.h"

#include <pthread.h>
#include <time.h>

static dn_comm *world;

CASE(world_has_the_launchers_size) {
    const char *announced = getenv("OMPI_COMM_WORLD_SIZE");
    EXPECT_INT(world->size, announced ? atoi(announced) : 1);
    EXPECT_TEXT(world->ops->name, announced ? "mpi" : "self");
    EXPECT(world->rank >= 0 && world->rank < world->size);
    EXPECT_INT(world->local_size, world->size);
    EXPECT_INT(world->local_rank, world->rank);
}

CASE(broadcast_copies_roots_bytes) {
    for (int root = 0; root < world->size; root++) {
        unsigned char bytes[1000];
        memset(bytes, world->rank == root ? 100 + root : 0, sizeof bytes);
        EXPECT_INT(dn_comm_broadcast(world, root, bytes, sizeof bytes), DN_OK);
        EXPECT_INT(bytes[0], 100 + root);
        EXPECT_INT(bytes[999], 100 + root);
    }
    EXPECT_INT(dn_comm_broadcast(world, 0, NULL, 0), DN_OK);
}

CASE(reduce_folds_every_type) {
    int n = world->size, r = world->rank;
    for (dn_fold fold = DN_FOLD_SUM; fold <= DN_FOLD_MIN; fold++) {
        int64_t whole[3] = {r, -r, INT64_C(1) << 50};
        double real[2] = {r + 0.5, -r};
        float small[2] = {(float)r, 0.25f};
        EXPECT_INT(dn_comm_reduce(world, DN_N_I64, fold, whole, 3), DN_OK);
        EXPECT_INT(dn_comm_reduce(world, DN_N_F64, fold, real, 2), DN_OK);
        EXPECT_INT(dn_comm_reduce(world, DN_N_F32, fold, small, 2), DN_OK);
        int sum = n * (n - 1) / 2;
        int want[] = {[DN_FOLD_SUM] = sum, [DN_FOLD_MAX] = n - 1, [DN_FOLD_MIN] = 0};
        int want_minus[] = {[DN_FOLD_SUM] = -sum, [DN_FOLD_MAX] = 0, [DN_FOLD_MIN] = 1 - n};
        int times = fold == DN_FOLD_SUM ? n : 1;
        EXPECT_INT(whole[0], want[fold]);
        EXPECT_INT(whole[1], want_minus[fold]);
        EXPECT_INT(whole[2], (INT64_C(1) << 50) * times);
        EXPECT(real[0] == want[fold] + 0.5 * times);
        EXPECT(real[1] == want_minus[fold]);
        EXPECT(small[0] == (float)want[fold] && small[1] == 0.25f * (float)times);
    }
}

CASE(reduce_gives_the_same_bits_everywhere) {
    enum { N = 5000 };
    double *values = dn_alloc_array(N, sizeof *values);
    dn_seed += (uint64_t)world->rank;
    for (int i = 0; i < N; i++) {
        values[i] = (double)dn_random() * 1e-3 + (double)(dn_random() % 1000) * 1e-9;
    }
    EXPECT_INT(dn_comm_reduce(world, DN_N_F64, DN_FOLD_SUM, values, N), DN_OK);
    double *roots = dn_alloc_array(N, sizeof *roots);
    memcpy(roots, values, N * sizeof *roots);
    EXPECT_INT(dn_comm_broadcast(world, 0, roots, N * sizeof *roots), DN_OK);
    EXPECT_INT(memcmp(roots, values, N * sizeof *roots), 0);
    free(roots);
    free(values);
}

/* Rank r's share of a sum: of mixed sizes, so that another order gives other bits. */
static void fill_random(float *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        values[i] = (float)((double)(dn_random() % 2000000) * 1e-6 - 1) *
                    (dn_random() % 4 ? 1.0f : 1000.0f);
    }
}

/* The sum as the header promises it: element by element, in the order of the ranks of `comm`. */
static void check_sum(dn_comm *comm, size_t n) {
    float *values = dn_alloc_array(n + 1, sizeof *values);
    fill_random(values, n);
    values[n] = 7;
    dn_parts parts;
    dn_span bytes = {(const char *)values, n * sizeof *values};
    REQUIRE(dn_comm_gather(comm, DN_EVERY_RANK, bytes, &parts) == DN_OK);
    EXPECT_INT(dn_comm_sum(comm, values, n), DN_OK);
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) {
        float want = ((const float *)dn_parts_get(&parts, 0).ptr)[i];
        for (int r = 1; r < comm->size; r++) {
            want += ((const float *)dn_parts_get(&parts, r).ptr)[i];
        }
        wrong += memcmp(&want, &values[i], sizeof want) != 0;
    }
    EXPECT_INT(wrong, 0);
    EXPECT(values[n] == 7);
    dn_parts_free(&parts);
    free(values);
}

CASE(sum_adds_in_the_order_of_the_ranks) {
    static const size_t sizes[] = {1, 2, 3, 5, 384, 512 * 384, 0, 100003};
    dn_comm *comm;
    REQUIRE(dn_comm_duplicate(world, &comm) == DN_OK);
    REQUIRE(dn_comm_reserve(comm, 512 * 384) == DN_OK);
    dn_seed += (uint64_t)world->rank;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_sum(comm, sizes[i]);
    }
    dn_comm_close(comm);
}

CASE(split_makes_groups_in_the_order_of_ranks) {
    for (int tp = 1; tp <= world->size; tp++) {
        dn_comm *group;
        int n =
            (world->rank / tp + 1) * tp < world->size ? tp : world->size - world->rank / tp * tp;
        REQUIRE(dn_comm_split(world, world->rank / tp, &group) == DN_OK);
        EXPECT_INT(group->rank, world->rank % tp);
        EXPECT_INT(group->size, n);
        EXPECT_INT(group->local_size, n);
        int64_t leader = world->rank;
        EXPECT_INT(dn_comm_broadcast(group, 0, &leader, sizeof leader), DN_OK);
        EXPECT_INT(leader, world->rank / tp * tp);
        REQUIRE(dn_comm_reserve(group, 1000) == DN_OK);
        check_sum(group, 1000);
        dn_comm_close(group);
    }
}

static void *cancel_soon(void *comm) {
    dn_sleep_until_ns(dn_mono_ns() + 50 * 1000000);
    dn_comm_cancel(comm);
    return NULL;
}

/* Rank 0 comes when the others have given up. */
CASE(cancel_ends_a_wait) {
    dn_comm *comm;
    REQUIRE(dn_comm_duplicate(world, &comm) == DN_OK);
    if (world->rank != 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, cancel_soon, comm);
        EXPECT_INT(dn_comm_barrier(comm), DN_ABORT);
        EXPECT(strstr(dn_failure_last()->text, "no longer waits") != NULL);
        pthread_join(thread, NULL);
    }
    EXPECT_INT(dn_comm_barrier(world), DN_OK);
    if (world->rank == 0) {
        EXPECT_INT(dn_comm_barrier(comm), DN_OK);
    }
    EXPECT_INT(dn_comm_barrier(world), DN_OK);
    dn_comm_close(comm);
}

/* Rank r sends r * 1000 bytes of value r: rank 0 sends none. */
static void gather_and_check(int root) {
    size_t own = (size_t)world->rank * 1000;
    char *bytes = dn_alloc(own);
    memset(bytes, world->rank, own);
    dn_parts parts;
    EXPECT_INT(dn_comm_gather(world, root, (dn_span){bytes, own}, &parts), DN_OK);
    bool receives = root == DN_EVERY_RANK || root == world->rank;
    EXPECT_INT(parts.n, receives ? world->size : 0);
    for (int r = 0; r < parts.n; r++) {
        dn_span part = dn_parts_get(&parts, r);
        EXPECT_INT(part.len, r * 1000);
        EXPECT(part.len == 0 || (part.ptr[0] == r && part.ptr[part.len - 1] == r));
    }
    dn_parts_free(&parts);
    free(bytes);
}

CASE(gather_collects_parts_of_any_size) {
    for (int root = DN_EVERY_RANK; root < world->size; root++) {
        gather_and_check(root);
    }
}

CASE(agree_when_all_is_well) {
    EXPECT_INT(dn_comm_agree(world, DN_OK), DN_OK);
    EXPECT_INT(dn_comm_agree(world, world->rank == 0 ? DN_AGAIN : DN_OK), DN_AGAIN);
}

CASE(agree_spreads_the_lowest_worst_failure) {
    int last = world->size - 1;
    dn_status own = DN_OK;
    if (world->rank == last) {
        own = DN_FAIL(NO_SPACE, "disk %d is full", last);
    } else if (world->rank == 0) {
        own = DN_FAIL_AS(DN_RETRY, BROKER, "broker is away");
    }
    EXPECT_INT(dn_comm_agree(world, own), DN_FATAL);
    const dn_failure *failure = dn_failure_last();
    char want[64];
    snprintf(want, sizeof want,
             world->rank == last ? "disk %d is full" : "rank %d: disk %d is full", last, last);
    EXPECT_TEXT(failure->text, want);
    EXPECT_INT(failure->error, DN_E_NO_SPACE);
}

CASE(agree_names_the_lowest_of_equals) {
    DN_FAIL(IO, "told by %d", world->rank);
    EXPECT_INT(dn_comm_agree(world, DN_FATAL), DN_FATAL);
    EXPECT_TEXT(dn_failure_last()->text, world->rank == 0 ? "told by 0" : "rank 0: told by 0");
}

static void *sum_many(void *arg) {
    dn_comm *comm = arg;
    int64_t wrong = 0;
    for (int i = 0; i < 50; i++) {
        int64_t value = comm->rank + i;
        bool ok = dn_comm_reduce(comm, DN_N_I64, DN_FOLD_SUM, &value, 1) == DN_OK;
        wrong += !ok || value != comm->size * (comm->size - 1) / 2 + (int64_t)i * comm->size;
    }
    return (void *)(intptr_t)wrong;
}

CASE(two_threads_talk_on_two_duplicates) {
    dn_comm *copy[2];
    pthread_t thread[2];
    for (int i = 0; i < 2; i++) {
        REQUIRE(dn_comm_duplicate(world, &copy[i]) == DN_OK);
        EXPECT_INT(copy[i]->rank, world->rank);
    }
    for (int i = 0; i < 2; i++) {
        pthread_create(&thread[i], NULL, sum_many, copy[i]);
    }
    for (int i = 0; i < 2; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        EXPECT_INT((intptr_t)wrong, 0);
    }
    for (int i = 0; i < 2; i++) {
        dn_comm_close(copy[i]);
    }
}

static int64_t process_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A polling wait would burn the whole 400 ms; the bound compares CPU time with the wait it served,
 * not with a clock that other jobs could slow down. */
CASE(waiting_burns_no_core) {
    int64_t begin_cpu = process_cpu_ns(), begin = dn_mono_ns();
    if (world->rank == 0) {
        dn_sleep_until_ns(begin + 400 * 1000000);
    }
    EXPECT_INT(dn_comm_barrier(world), DN_OK);
    int64_t waited = dn_mono_ns() - begin;
    EXPECT(process_cpu_ns() - begin_cpu < waited / 2);
}

static int abort_as_rank_1(void) {
    if (world->rank == 1) {
        dn_comm_abort(world, 73, "the disk is gone");
    }
    dn_comm_barrier(world);
    return 0;
}

int main(int argc, char **argv) {
    if (dn_comm_open(&world) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "--abort-rank-1") == 0) {
        return abort_as_rank_1();
    }
    int rc = dn_test_main(argc, argv);
    dn_comm_close(world);
    return rc;
}

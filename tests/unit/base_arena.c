#include "base/arena.h"

#include "test.h"

CASE(memory_is_aligned_and_apart) {
    dn_arena arena;
    dn_arena_init(&arena, 1000);
    char *last = NULL;
    for (size_t size = 0; size < 200; size++) {
        char *memory = dn_arena_take(&arena, size);
        EXPECT_INT((uintptr_t)memory % 16, 0);
        memset(memory, (int)size, size);
        if (last && size > 1) {
            EXPECT_INT((unsigned char)last[size - 2], size - 1);
        }
        last = memory;
    }
    dn_arena_free(&arena);
}

CASE(an_empty_arena_holds_nothing) {
    dn_arena arena;
    dn_arena_init(&arena, 1 << 20);
    EXPECT_INT(dn_arena_held_bytes(&arena), 0);
    dn_arena_reset(&arena);
    dn_arena_free(&arena);
}

CASE(more_than_a_block_gets_a_block_of_its_own) {
    dn_arena arena;
    dn_arena_init(&arena, 64);
    char *memory = dn_arena_zeroed(&arena, 100000);
    EXPECT_INT(memory[0], 0);
    EXPECT_INT(memory[99999], 0);
    EXPECT(dn_arena_held_bytes(&arena) >= 100000);
    dn_arena_free(&arena);
}

CASE(zeroed_clears_what_was_there) {
    dn_arena arena;
    dn_arena_init(&arena, 4096);
    memset(dn_arena_take(&arena, 512), 0xff, 512);
    dn_arena_reset(&arena);
    const char *memory = dn_arena_zeroed(&arena, 512);
    int set = 0;
    for (int i = 0; i < 512; i++) {
        set += memory[i] != 0;
    }
    EXPECT_INT(set, 0);
    dn_arena_free(&arena);
}

CASE(copies_end_with_nul_and_may_be_empty) {
    dn_arena arena;
    dn_arena_init(&arena, 64);
    dn_span copy = dn_arena_copy(&arena, DN_SPAN("a\0b"));
    EXPECT_INT(copy.len, 3);
    EXPECT_INT(memcmp(copy.ptr, "a\0b", 4), 0);
    dn_span empty = dn_arena_copy(&arena, (dn_span){NULL, 0});
    EXPECT(empty.ptr != NULL && empty.len == 0 && empty.ptr[0] == '\0');
    dn_arena_free(&arena);
}

/* Takes the load of one unit of work; the addresses go to at[]. */
static void take_load(dn_arena *arena, const size_t *sizes, int n, void **at) {
    for (int i = 0; i < n; i++) {
        at[i] = dn_arena_take(arena, sizes[i]);
        memset(at[i], 0x5a, sizes[i]);
    }
}

CASE(the_same_load_again_takes_the_same_memory) {
    enum { N = 300 };
    dn_arena arena;
    dn_arena_init(&arena, 4096);
    size_t sizes[N];
    void *first[N], *again[N];
    for (int i = 0; i < N; i++) {
        sizes[i] = dn_random() % (i % 50 == 0 ? 20000 : 300);
    }
    take_load(&arena, sizes, N, first);
    size_t held = dn_arena_held_bytes(&arena);
    for (int round = 0; round < 5; round++) {
        dn_arena_reset(&arena);
        take_load(&arena, sizes, N, again);
        EXPECT_INT(memcmp(first, again, sizeof first), 0);
        EXPECT_INT(dn_arena_held_bytes(&arena), held);
    }
    dn_arena_free(&arena);
}

CASE(changing_loads_stop_growing) {
    enum { N = 200, ROUNDS = 400 };
    dn_arena arena;
    dn_arena_init(&arena, 4096);
    size_t sizes[N], held_late = 0;
    void *at[N];
    for (int round = 0; round < ROUNDS; round++) {
        int n = 1 + (int)(dn_random() % N);
        for (int i = 0; i < n; i++) {
            sizes[i] = dn_random() % 500;
        }
        dn_arena_reset(&arena);
        take_load(&arena, sizes, n, at);
        if (round == ROUNDS / 2) {
            held_late = dn_arena_held_bytes(&arena);
        }
    }
    EXPECT(dn_arena_held_bytes(&arena) <= held_late + 2 * 4096);
    dn_arena_free(&arena);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}

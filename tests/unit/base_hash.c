#include "base/hash.h"

#include "test.h"

CASE(values_are_those_of_xxh3) {
    EXPECT(dn_hash64(DN_SPAN(""), 0) == 0x2d06800538d394c2u); /* published for XXH3-64 of nothing */
    EXPECT(dn_hash64(DN_SPAN("dunlin"), 0) == dn_hash64(DN_SPAN("dunlin"), 0));
    EXPECT(dn_hash64(DN_SPAN("dunlin"), 0) != dn_hash64(DN_SPAN("dunlin"), 1));
}

CASE(pieces_hash_as_their_concatenation) {
    char bytes[5000];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)dn_random();
    }
    dn_hasher *hasher = dn_hasher_new();
    for (int trial = 0; trial < 100; trial++) {
        size_t len = dn_random() % sizeof bytes;
        dn_hasher_reset(hasher);
        for (size_t done = 0; done < len;) {
            size_t piece = 1 + dn_random() % 700;
            piece = piece < len - done ? piece : len - done;
            dn_hasher_add(hasher, bytes + done, piece);
            done += piece;
        }
        EXPECT(dn_hasher_value(hasher) == dn_hash64((dn_span){bytes, len}, 0));
    }
    dn_hasher_free(hasher);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}

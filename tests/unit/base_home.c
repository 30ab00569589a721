#include "base/home.h"

#include "test.h"

#include <unistd.h>

/* dn_home_find in another folder: what it makes of `path`. */
static bool finds(const char *path, const char *end) {
    char here[4096];
    bool moved = getcwd(here, sizeof here) && chdir("/") == 0;
    char *found = dn_home_find(path);
    size_t n = strlen(found), tail = strlen(end);
    bool ends = n >= tail && strcmp(found + n - tail, end) == 0 && (found[0] == '/') == (n > tail);
    free(found);
    return moved && chdir(here) == 0 && ends;
}

CASE(a_program_of_a_source_tree_finds_the_tree) {
    REQUIRE(dn_home() != NULL);
    EXPECT(dn_home()[0] == '/');
    EXPECT(finds("jobs/tweets.yaml", "/jobs/tweets.yaml"));
}

CASE(what_is_nowhere_keeps_its_name) {
    EXPECT(finds("no/such/file", "no/such/file"));
}

CASE(what_is_here_comes_first) {
    char *found = dn_home_find("jobs/tweets.yaml");
    EXPECT_TEXT(found, "jobs/tweets.yaml");
    free(found);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}

#include "base/version.h"

#include "dn_commit.h"

const char *dn_version(void) {
    return DUNLIN_VERSION;
}

const char *dn_git_commit(void) {
    return DN_COMMIT;
}

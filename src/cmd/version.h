#ifndef DN_CMD_VERSION_H
#define DN_CMD_VERSION_H
/** What `dunlin --version` says. */
#include <stdio.h>

/** Dunlin's version, and versions and features of the libraries it runs with. */
void dn_version_print(FILE *out);

#endif

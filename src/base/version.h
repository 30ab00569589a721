#ifndef DN_BASE_VERSION_H
#define DN_BASE_VERSION_H
/** Which Dunlin this is: for --version and for the provenance of results. */

const char *dn_version(void);

/** The commit the program was built from, "-dirty" behind it when the working tree differed,
 * "unknown" outside git. */
const char *dn_git_commit(void);

#endif

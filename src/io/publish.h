#ifndef DN_IO_PUBLISH_H
#define DN_IO_PUBLISH_H
/** Making files appear whole or not at all, and stay after a power cut.
 *
 *    write NAME.part -> fsync -> link(NAME.part, NAME) -> unlink NAME.part -> fsync folder
 *
 * link(2), unlike rename(2), refuses to replace: of two writers of the same name exactly one wins,
 * and the other is told. */
#include "base/status.h"

#include <stdbool.h>

/** Makes the folder and its parents, and each entry durable. OK when it is there. CANT_CREATE */
dn_status dn_folder_make(const char *path);

/** Publishes `part` under `name` in the same folder. When the name is taken, `*existed` is true,
 * the other file is untouched and `part` is still there.      blocks  on the disk */
dn_status dn_publish(const char *part, const char *name, bool *existed);

/** Publishes `part` under `name`, in place of an older file of that name. */
dn_status dn_publish_replace(const char *part, const char *name);

/** Deletes the files of a folder for which `wants` is true, for the remains of an earlier run. A
 * missing folder is OK. */
dn_status dn_folder_sweep(const char *path, bool (*wants)(const char *name, void *ctx), void *ctx);

#endif

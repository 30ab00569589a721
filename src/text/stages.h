#ifndef DN_TEXT_STAGES_H
#define DN_TEXT_STAGES_H
/** The text stages, for the registry. Each is defined at the foot of its own file. */
#include "flow/stage.h"

extern const dn_stage_ops dn_stage_null;     /**< nothing; the template to copy */
extern const dn_stage_ops dn_stage_decode;   /**< value -> id, created_at, user, text, language */
extern const dn_stage_ops dn_stage_clean;    /**< text -> clean */
extern const dn_stage_ops dn_stage_mail;     /**< text -> mail.subject, mail.body, mail.text */
extern const dn_stage_ops dn_stage_tokenise; /**< clean -> ids, tokens */

#endif

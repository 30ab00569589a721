#ifndef DN_TEXT_HTML_TEXT_H
#define DN_TEXT_HTML_TEXT_H
/** The text of an HTML part of a mail: tags, comments, scripts and styles go, blocks and <br> are
 * line ends, entities are characters, and a line inside <blockquote> begins with "> ", as it would
 * in plain text, so that the same rules find quotes. Not a browser: no style is looked at. */
#include "text/text_buffer.h"

/** Appends the text of `html`, valid UTF-8, which stays valid.     cost  O(html) */
void dn_html_text(dn_span html, dn_text_buffer *out);

#endif

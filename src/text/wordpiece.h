#ifndef DN_TEXT_WORDPIECE_H
#define DN_TEXT_WORDPIECE_H
/** BERT's tokeniser (Hugging Face BertTokenizerFast): clean, split ideographs, strip accents,
 * lower-case, split punctuation, then the longest pieces of the vocabulary; words of more than
 * DN_WORDPIECE_WORD code points are [UNK]. As there, the special tokens written out in a text
 * ("[SEP]") are those tokens. From vocab.txt the options come from tokenizer_config.json
 * (do_lower_case, strip_accents, tokenize_chinese_chars) where it is there. */

enum { DN_WORDPIECE_WORD = 100 };

#endif

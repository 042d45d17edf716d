/*
 * What a word of a text is: a run of letters and digits. Texts are UTF-8. Owns nothing.
 */
#ifndef CMD_WORD_H
#define CMD_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool word_is_ascii(uint32_t c); /* a letter or digit of ASCII */

/* Beyond ASCII all is taken for a letter but blanks, signs of Latin-1, general punctuation and the
 * minus. */
bool word_is_char(uint32_t c);

/* Bytes of the word at TEXT, or of the one character there that is in none. TEXT must be below END.
 */
size_t word_piece(const char *text, const char *end, bool *ret_word);

#endif

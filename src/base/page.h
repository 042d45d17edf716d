/*
 * Text for people on standard output: as wide as the terminal, 80 columns where there is none. A
 * character counts as one column. Owns nothing.
 */
#ifndef BASE_PAGE_H
#define BASE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE_MIN = 30, PAGE_MAX = 100, PAGE_COLUMNS = 3 };
enum { PAGE_NUMBER_MAX = 32 };

bool page_is_terminal(void);

/* COLUMNS, else the terminal's width, else 80; within PAGE_MIN and PAGE_MAX. */
size_t page_width(void);

/* The number with a comma between thousands, in TEXT. */
const char *page_number(char text[PAGE_NUMBER_MAX], int64_t number);

/* Prints TEXT wrapped at the width, the first line after FIRST, the others indented by as much. */
void page_paragraph(const char *first, const char *text);

/* Prints a row whose cells are wrapped to their widths, two blanks between them. */
void page_row(const size_t widths[PAGE_COLUMNS], const char *const cells[PAGE_COLUMNS]);

/* Draws a bar over the line the cursor is in, on a terminal; page_bar_end goes to the next line. */
void page_bar(int64_t done, int64_t total, const char *text);
void page_bar_end(void);

#endif

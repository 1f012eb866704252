/* The words of a text that a provider wrote. Words are compared whole and in any case, never as parts of longer ones:
   "429" is no word of "req_429ab". Reads bytes; allocates nothing and keeps nothing. */
#ifndef TRIP_WORDS_H
#define TRIP_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that belong to somebody else. */
typedef struct trip_text {
    const char *at;
    size_t len;
} trip_text;

static inline bool trip_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline char trip_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* A letter, a digit, an underscore or a byte of a longer character: what words are made of. */
bool trip_is_word_char(char c);

/* What is left of `text` from `position` on. */
static inline trip_text trip_text_from(trip_text text, size_t position)
{
    return (trip_text){text.at + position, text.len - position};
}

/* Whether `text` is `lower`, which has no capitals, in any case. */
bool trip_text_is(trip_text text, const char *lower);

/* The first word at or behind *position, which moves behind that word. False: there is none. */
bool trip_next_word(trip_text text, size_t *position, trip_text *word);

/* Whether the words of `phrase`, which are lower case and have one space between them, stand in `text` from *position
   on, whatever stands between them there; a # stands for any number. If so, *position moves behind the last one. */
bool trip_phrase_follows(trip_text text, size_t *position, const char *phrase);

#endif

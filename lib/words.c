/* Where words begin and end, in plain text and in JSON strings alike: escapes are taken as they stand. */
#include "words.h"

#include <string.h>

bool trip_is_word_char(char c)
{
    return trip_is_digit(c) || (trip_lower(c) >= 'a' && trip_lower(c) <= 'z') || c == '_' || (unsigned char)c >= 0x80;
}

bool trip_text_is(trip_text text, const char *lower)
{
    size_t i = 0;
    while (i < text.len && lower[i] != '\0' && trip_lower(text.at[i]) == lower[i])
        i++;
    return i == text.len && lower[i] == '\0';
}

/* The length of an escape that begins with backslashes; texts within texts have several. Its letter is no part of the
   word behind it, in "\nPlease" as in "\\\nPlease". */
static size_t escape_length(trip_text text, size_t position)
{
    size_t i = position;
    while (i < text.len && text.at[i] == '\\')
        i++;
    if (i < text.len && strchr("nrtbf", text.at[i]) != NULL && text.at[i] != '\0')
        i++;
    else if (text.len - i >= 5 && text.at[i] == 'u')
        i += 5;
    return i - position;
}

bool trip_next_word(trip_text text, size_t *position, trip_text *word)
{
    size_t i = *position;
    while (i < text.len && !trip_is_word_char(text.at[i]))
        i += text.at[i] == '\\' ? escape_length(text, i) : 1;
    size_t begin = i;
    while (i < text.len && trip_is_word_char(text.at[i]))
        i++;
    *position = i;
    *word = (trip_text){text.at + begin, i - begin};
    return i > begin;
}

/* Whether `word` is the word that `phrase` begins with, whose length is `len`. */
static bool begins_with(trip_text word, const char *phrase, size_t len)
{
    if (len == 1 && phrase[0] == '#')
        return trip_is_digit(word.at[0]);
    if (word.len != len)
        return false;
    size_t i = 0;
    while (i < len && trip_lower(word.at[i]) == phrase[i])
        i++;
    return i == len;
}

bool trip_phrase_follows(trip_text text, size_t *position, const char *phrase)
{
    size_t i = *position;
    trip_text word;
    for (;;) {
        size_t len = strcspn(phrase, " ");
        if (!trip_next_word(text, &i, &word) || !begins_with(word, phrase, len))
            return false;
        if (phrase[len] == '\0')
            break;
        phrase += len + 1;
    }
    *position = i;
    return true;
}

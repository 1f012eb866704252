/* Signatures, as signature.h describes them: a type, and types between parentheses, in one pass from left to right. */
#include "signature.h"

#include "config.h"
#include "prose.h"
#include "words.h"

#include <string.h>

#define QUOTED_MAX 40 /* of what stands where something else should */

static const char *const names[TRIP_TYPES] = {"void",   "int8",  "uint8",  "int16", "uint16", "int32",
                                              "uint32", "int64", "uint64", "float", "double", "pointer"};

typedef struct reader {
    const char *text;
    size_t len;
    size_t at;
    trip_error *out_error;
} reader;

static trip_status tell(const reader *r, trip_status status, const trip_prose *why)
{
    return trip_error_tell(r->out_error, status, TRIP_NO_FIELD, why->text);
}

/* ---- What stands there ------------------------------------------------------------------------------------------- */

static void skip_blanks(reader *r)
{
    while (r->at < r->len && memchr(" \t\r\n", r->text[r->at], 4) != NULL)
        r->at++;
}

static bool take(reader *r, char c)
{
    skip_blanks(r);
    bool is_there = r->at < r->len && r->text[r->at] == c;
    r->at += is_there;
    return is_there;
}

/* The word that begins here, of which there may be nothing. */
static trip_text word_at(const reader *r)
{
    size_t end = r->at;
    while (end < r->len && trip_is_word_char(r->text[end]))
        end++;
    return (trip_text){r->text + r->at, end - r->at};
}

static bool is(trip_text word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.at, text, word.len) == 0;
}

static bool begins_with(const reader *r, const char *text)
{
    return r->len - r->at >= strlen(text) && memcmp(r->text + r->at, text, strlen(text)) == 0;
}

/* ---- What is wrong with it --------------------------------------------------------------------------------------- */

/* What nobody can guard is told as that, wherever it stands. */
static trip_status refuse_at(const reader *r, const char *wanted)
{
    trip_prose why = {0};
    trip_text word = word_at(r);
    trip_prose_add(&why, "signature, byte %zu: ", r->at);
    if (begins_with(r, "...")) {
        trip_prose_add(&why, "variadic functions cannot be guarded: no signature says what a call passes");
        return tell(r, TRIP_E_UNSUPPORTED, &why);
    }
    if (is(word, "struct") || is(word, "union")) {
        trip_prose_add(&why, "a %.*s by value cannot be guarded, only a pointer to one", (int)word.len, word.at);
        return tell(r, TRIP_E_UNSUPPORTED, &why);
    }
    trip_prose_add(&why, "%s expected, not ", wanted);
    size_t len = word.len == 0 ? r->len - r->at != 0 : word.len;
    if (len == 0)
        trip_prose_add(&why, "the end");
    else
        trip_prose_quote(&why, r->text + r->at, len < QUOTED_MAX ? len : QUOTED_MAX);
    return tell(r, TRIP_E_INVALID, &why);
}

static trip_status refuse_type(const reader *r)
{
    trip_text word = word_at(r);
    if (word.len == 0 || is(word, "struct") || is(word, "union"))
        return refuse_at(r, "a type");
    trip_prose why = {0};
    trip_prose_add(&why, "signature, byte %zu: unknown type ", r->at);
    trip_prose_quote(&why, word.at, word.len < QUOTED_MAX ? word.len : QUOTED_MAX);
    trip_prose_add(&why, "; there are ");
    for (size_t i = 0; i < TRIP_TYPES; i++)
        trip_prose_add(&why, "%s%s", i == 0 ? "" : ", ", names[i]);
    return tell(r, TRIP_E_INVALID, &why);
}

static trip_status refuse_parameter(const reader *r, size_t at, const char *what)
{
    trip_prose why = {0};
    trip_prose_add(&why, "signature, byte %zu: %s", at, what);
    return tell(r, TRIP_E_INVALID, &why);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static trip_status read_type(reader *r, trip_type *out_type)
{
    skip_blanks(r);
    trip_text word = word_at(r);
    for (size_t i = 0; i < TRIP_TYPES; i++)
        if (is(word, names[i])) {
            *out_type = (trip_type)i;
            r->at += word.len;
            return TRIP_OK;
        }
    return refuse_type(r);
}

/* One, and whether another follows it. A void that stands alone is none. */
static trip_status read_parameter(reader *r, trip_signature *signature, bool *out_more)
{
    skip_blanks(r);
    size_t at = r->at;
    trip_type type = TRIP_TYPE_VOID;
    trip_status status = read_type(r, &type);
    if (status != TRIP_OK)
        return status;
    *out_more = take(r, ',');
    if (!*out_more && !take(r, ')'))
        return refuse_at(r, "\",\" or \")\"");
    if (type == TRIP_TYPE_VOID && signature->count == 0 && !*out_more)
        return TRIP_OK;
    if (type == TRIP_TYPE_VOID)
        return refuse_parameter(r, at, "void is no parameter beside others");
    if (signature->count == TRIP_PARAMETERS_MAX)
        return refuse_parameter(r, at, "more than 64 parameters");
    signature->parameters[signature->count++] = type;
    return TRIP_OK;
}

static trip_status read_all(reader *r, trip_signature *signature)
{
    trip_status status = read_type(r, &signature->result);
    if (status == TRIP_OK && !take(r, '('))
        status = refuse_at(r, "\"(\"");
    bool more = status == TRIP_OK && !take(r, ')');
    while (status == TRIP_OK && more)
        status = read_parameter(r, signature, &more);
    skip_blanks(r);
    if (status == TRIP_OK && r->at != r->len)
        status = refuse_at(r, "nothing more");
    return status;
}

trip_status trip_signature_read(const char *text, size_t len, trip_signature *out_signature, trip_error *out_error)
{
    if (text != NULL && len == SIZE_MAX)
        len = strnlen(text, TRIP_SIGNATURE_LEN_MAX + 1);
    if (text == NULL || len > TRIP_SIGNATURE_LEN_MAX)
        return trip_error_tell(out_error, TRIP_E_INVALID, TRIP_NO_FIELD,
                               text == NULL ? "signature is NULL" : "signature is longer than 1024 bytes");
    reader r = {.text = text, .len = len, .out_error = out_error};
    *out_signature = (trip_signature){.count = 0};
    return read_all(&r, out_signature);
}

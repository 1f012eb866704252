/* Walks the tokens of a body once. Only members that providers give their errors are looked at, and only objects that
   they nest them in: what a caller sent and a provider repeats is not what the provider says. */
#include "error_body.h"

#include "retry_hint.h"

#include <string.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#define TOKENS_MAX 512
#define CUT (-1) /* the size of a string whose end is missing */

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* ---- Members ----------------------------------------------------------------------------------------------------- */

enum {
    HOLDS_MORE = 1, /* an object or an array of them: look inside */
    IS_CODE = 2,    /* a code, a type or an HTTP status */
    IS_MESSAGE = 4,
    IS_ERROR = 8,     /* where this is, the body is an error */
    IS_QUOTA = 16,    /* Google's name for what is used up */
    IS_DURATION = 32, /* "34s" */
    IS_SECONDS = 64,
};

static const struct role {
    const char *key; /* in lower case */
    unsigned is;
} roles[] = {
    {"error", HOLDS_MORE | IS_CODE | IS_MESSAGE | IS_ERROR},
    {"errors", HOLDS_MORE},
    {"response", HOLDS_MORE},
    {"details", HOLDS_MORE},
    {"detail", HOLDS_MORE | IS_MESSAGE},
    {"innererror", HOLDS_MORE},
    {"metadata", HOLDS_MORE},
    {"violations", HOLDS_MORE},
    {"code", IS_CODE},
    {"type", IS_CODE},
    {"status", IS_CODE},
    {"reason", IS_CODE},
    {"__type", IS_CODE},
    {"error_type", IS_CODE},
    {"error_code", IS_CODE},
    {"message", HOLDS_MORE | IS_MESSAGE},
    {"msg", IS_MESSAGE},
    {"raw", IS_MESSAGE},
    {"quotaid", IS_QUOTA},
    {"retrydelay", IS_DURATION},
    {"retry_after", IS_SECONDS},
    {"retry_after_seconds", IS_SECONDS},
};

static unsigned role_of(trip_text key)
{
    for (size_t i = 0; i < COUNT(roles); i++)
        if (trip_text_is(key, roles[i].key))
            return roles[i].is;
    return 0;
}

static uint32_t status_number(trip_text value)
{
    if (value.len != 3 || !trip_is_digit(value.at[0]) || !trip_is_digit(value.at[1]) || !trip_is_digit(value.at[2]))
        return 0;
    return (uint32_t)((value.at[0] - '0') * 100 + (value.at[1] - '0') * 10 + (value.at[2] - '0'));
}

/* Amazon's types may have a namespace before them, and a link behind: "com.amazon#ThrottlingException:http". */
static trip_text bare_code(trip_text code)
{
    const char *hash = memchr(code.at, '#', code.len);
    if (hash != NULL)
        code = trip_text_from(code, (size_t)(hash + 1 - code.at));
    const char *colon = memchr(code.at, ':', code.len);
    if (colon != NULL)
        code.len = (size_t)(colon - code.at);
    return code;
}

static void take_code(trip_text value, trip_error_body *found)
{
    uint32_t status = status_number(value);
    if (status >= 400 && status < 600 && found->http_status == 0)
        found->http_status = status;
    found->told |= trip_symptom_of_code(bare_code(value));
}

/* "GenerateRequestsPerDayPerProjectPerModel-FreeTier": what is used up for a day is a quota, for a minute a rate. */
static void take_quota(trip_text id, trip_error_body *found)
{
    static const char day[] = "PerDay";
    bool per_day = memmem(id.at, id.len, day, sizeof day - 1) != NULL;
    found->told |= TRIP_CLASS_BIT(per_day ? TRIP_CLASS_QUOTA : TRIP_CLASS_RATE_LIMITED);
}

/* Of several waits the longest counts. */
static void take_wait(bool (*read)(trip_text, uint64_t *), trip_text value, trip_error_body *found)
{
    uint64_t ns;
    if (!read(value, &ns))
        return;
    found->wait_ns = ns > found->wait_ns ? ns : found->wait_ns;
}

static void take_value(unsigned is, trip_text value, trip_error_body *found)
{
    if (is & IS_CODE)
        take_code(value, found);
    if ((is & IS_MESSAGE) && found->message_count < TRIP_MESSAGES_MAX)
        found->messages[found->message_count++] = value;
    if (is & IS_QUOTA)
        take_quota(value, found);
    if (is & IS_DURATION)
        take_wait(trip_read_duration, value, found);
    if (is & IS_SECONDS)
        take_wait(trip_read_seconds, value, found);
}

/* ---- Tokens ------------------------------------------------------------------------------------------------------ */

static trip_text text_of(trip_text json, const jsmntok_t *token)
{
    size_t end = token->end < 0 ? json.len : (size_t)token->end; /* what is cut off lasts until there */
    return (trip_text){json.at + token->start, end - (size_t)token->start};
}

static bool is_container(const jsmntok_t *token)
{
    return token->type == JSMN_OBJECT || token->type == JSMN_ARRAY;
}

/* What the token at `index` is, in an error object: the role of its key. What is outermost or an element is what its
   surroundings are. */
static unsigned role_of_token(trip_text json, const jsmntok_t *tokens, int index)
{
    int parent = tokens[index].parent;
    if (parent < 0)
        return HOLDS_MORE;
    if (tokens[parent].type == JSMN_ARRAY)
        return HOLDS_MORE;
    return tokens[parent].type == JSMN_STRING ? role_of(text_of(json, &tokens[parent])) : 0;
}

/* The object or array that a value belongs to: the parent of a value is its key. */
static int holder_of(const jsmntok_t *tokens, int index)
{
    int parent = tokens[index].parent;
    return parent >= 0 && tokens[parent].type == JSMN_STRING ? tokens[parent].parent : parent;
}

static bool says_error(unsigned role, trip_text value, const jsmntok_t *token)
{
    if (role & IS_ERROR)
        return token->type == JSMN_STRING ? value.len != 0 : is_container(token) && token->size != 0;
    return (role & IS_CODE) && token->type == JSMN_STRING && trip_text_is(value, "error");
}

static void walk(trip_text json, const jsmntok_t *tokens, int count, trip_error_body *found)
{
    bool open[TOKENS_MAX] = {false}; /* containers to look into */
    for (int i = 0; i < count; i++) {
        int holder = holder_of(tokens, i);
        if (holder >= 0 && !open[holder])
            continue;
        unsigned role = role_of_token(json, tokens, i);
        trip_text value = text_of(json, &tokens[i]);
        found->is_error |= says_error(role, value, &tokens[i]);
        if (is_container(&tokens[i]))
            open[i] = (role & HOLDS_MORE) != 0;
        else /* half a sentence says something, half a code or number something else */
            take_value(tokens[i].size == CUT ? role & IS_MESSAGE : role, value, found);
    }
}

/* Make a token of a string that the end of the body cuts off, the value of the last key. */
static int add_cut_string(trip_text json, const jsmn_parser *parser, jsmntok_t *tokens)
{
    int count = (int)parser->toknext;
    bool is_cut = parser->pos < json.len && json.at[parser->pos] == '"' && count < TOKENS_MAX &&
                  parser->toksuper >= 0 && tokens[parser->toksuper].type == JSMN_STRING;
    if (is_cut)
        tokens[count++] = (jsmntok_t){.type = JSMN_STRING,
                                      .start = (int)parser->pos + 1,
                                      .end = (int)json.len,
                                      .size = CUT,
                                      .parent = parser->toksuper};
    return count;
}

static void read_json(trip_text json, trip_error_body *found)
{
    jsmn_parser parser;
    jsmntok_t tokens[TOKENS_MAX];
    jsmn_init(&parser);
    int parsed = jsmn_parse(&parser, json.at, json.len, tokens, TOKENS_MAX);
    int count = parsed == JSMN_ERROR_PART ? add_cut_string(json, &parser, tokens) : (int)parser.toknext;
    found->is_json = count > 1; /* a bare brace says nothing */
    walk(json, tokens, count, found);
}

/* ---- Event streams ----------------------------------------------------------------------------------------------- */

static bool begins_with(trip_text text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.at, prefix, len) == 0;
}

static trip_text without_space(trip_text text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.at[0]) != NULL && text.at[0] != '\0')
        text = trip_text_from(text, 1);
    return text;
}

static trip_text take_line(trip_text *text)
{
    const char *end = memchr(text->at, '\n', text->len);
    trip_text line = {text->at, end == NULL ? text->len : (size_t)(end - text->at)};
    *text = trip_text_from(*text, end == NULL ? line.len : line.len + 1);
    return line;
}

/* The first event that is an error object. */
static void read_stream(trip_text stream, trip_error_body *found)
{
    static const char field[] = "data:";
    while (stream.len > 0 && !found->is_error) {
        trip_text line = take_line(&stream);
        if (!begins_with(line, field))
            continue;
        *found = (trip_error_body){.is_json = false};
        read_json(without_space(trip_text_from(line, sizeof field - 1)), found);
    }
}

void trip_read_error_body(trip_text body, trip_error_body *found)
{
    *found = (trip_error_body){.is_json = false};
    body = without_space(body);
    if (begins_with(body, "{") || begins_with(body, "["))
        read_json(body, found);
    else if (begins_with(body, "event:") || begins_with(body, "data:") || begins_with(body, ":"))
        read_stream(body, found);
}

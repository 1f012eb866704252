/* The class of an outcome: what an HTTP status, an errno or a text says, and how much what stands beside it may say.
   Who calls what how stands in symptom.c. Allocates nothing, takes no lock, keeps nothing. */
#include "abi.h"
#include "error_body.h"
#include "retry_hint.h"

#include <errno.h>
#include <netdb.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* ---- What decides ------------------------------------------------------------------------------------------------ */

#define ANY (~(trip_classes)0)
#define QUOTA TRIP_CLASS_BIT(TRIP_CLASS_QUOTA)
#define CONTEXT TRIP_CLASS_BIT(TRIP_CLASS_CONTEXT_OVERFLOW)
#define FILTERED TRIP_CLASS_BIT(TRIP_CLASS_CONTENT_FILTERED)
#define RATE TRIP_CLASS_BIT(TRIP_CLASS_RATE_LIMITED)
#define OVERLOADED TRIP_CLASS_BIT(TRIP_CLASS_OVERLOADED)
#define SERVER TRIP_CLASS_BIT(TRIP_CLASS_SERVER_ERROR)
#define INVALID TRIP_CLASS_BIT(TRIP_CLASS_INVALID_REQUEST)
#define REFUSALS                                                                                                       \
    (QUOTA | CONTEXT | FILTERED | RATE | OVERLOADED | TRIP_CLASS_BIT(TRIP_CLASS_AUTH) |                                \
     TRIP_CLASS_BIT(TRIP_CLASS_NOT_FOUND))

/* What a status says, and the classes that a code, or a phrase where no code helps, may say instead. */
typedef struct status_rule {
    uint32_t first, last;
    uint32_t class;
    trip_classes by_code;
    trip_classes by_phrase;
} status_rule;

/* The first line that has the status holds. A status that says enough listens to nobody: a 504 is no success, whatever
   its body is. */
static const status_rule rules[] = {
    {200, 299, TRIP_CLASS_SUCCESS, 0, 0},
    {401, 401, TRIP_CLASS_AUTH, 0, 0},
    {402, 402, TRIP_CLASS_QUOTA, 0, 0},
    {403, 403, TRIP_CLASS_AUTH, QUOTA | RATE | FILTERED, QUOTA | FILTERED},
    {404, 404, TRIP_CLASS_NOT_FOUND, 0, 0},
    {408, 408, TRIP_CLASS_TIMEOUT, 0, 0},
    {413, 413, TRIP_CLASS_CONTEXT_OVERFLOW, 0, 0},
    {429, 429, TRIP_CLASS_RATE_LIMITED, QUOTA, QUOTA},
    {400, 400, TRIP_CLASS_INVALID_REQUEST, REFUSALS, QUOTA | CONTEXT | FILTERED},
    {422, 422, TRIP_CLASS_INVALID_REQUEST, REFUSALS, QUOTA | CONTEXT | FILTERED},
    {400, 499, TRIP_CLASS_INVALID_REQUEST, ANY, QUOTA | CONTEXT | FILTERED},
    {504, 504, TRIP_CLASS_TIMEOUT, 0, 0},
    {524, 524, TRIP_CLASS_TIMEOUT, 0, 0},
    {529, 529, TRIP_CLASS_OVERLOADED, 0, 0},
    {503, 503, TRIP_CLASS_SERVER_ERROR, OVERLOADED | RATE, OVERLOADED},
    {500, 599, TRIP_CLASS_SERVER_ERROR, OVERLOADED | RATE, 0},
};

/* Where there is no status, everything else says all there is. */
static const status_rule no_status = {0, 0, TRIP_CLASS_UNKNOWN, ANY, ANY};
static const status_rule no_such_status = {0, 0, TRIP_CLASS_UNKNOWN, 0, 0};

static const status_rule *rule_of(uint32_t http_status)
{
    if (http_status == 0)
        return &no_status;
    for (size_t i = 0; i < COUNT(rules); i++)
        if (http_status >= rules[i].first && http_status <= rules[i].last)
            return &rules[i];
    return &no_such_status;
}

/* Of several classes the first of these: the one that says most. */
static const uint32_t by_precision[] = {
    TRIP_CLASS_QUOTA,        TRIP_CLASS_CONTEXT_OVERFLOW, TRIP_CLASS_CONTENT_FILTERED, TRIP_CLASS_AUTH,
    TRIP_CLASS_RATE_LIMITED, TRIP_CLASS_OVERLOADED,       TRIP_CLASS_NOT_FOUND,        TRIP_CLASS_TIMEOUT,
    TRIP_CLASS_CANCELLED,    TRIP_CLASS_NETWORK,          TRIP_CLASS_SERVER_ERROR,     TRIP_CLASS_INVALID_REQUEST,
};

static uint32_t most_precise(trip_classes told, uint32_t otherwise)
{
    for (size_t i = 0; i < COUNT(by_precision); i++)
        if (told & TRIP_CLASS_BIT(by_precision[i]))
            return by_precision[i];
    return otherwise;
}

/* Codes that say no more than "an error" leave it to the phrases to say which. */
static uint32_t decide(const status_rule *rule, trip_classes codes, trip_classes phrases)
{
    trip_classes own = TRIP_CLASS_BIT(rule->class);
    codes &= rule->by_code | own;
    phrases &= rule->by_phrase;
    if (codes & ~(SERVER | INVALID))
        return most_precise(codes, rule->class);
    return most_precise(phrases, most_precise(codes & rule->by_code, rule->class));
}

/* ---- HTTP -------------------------------------------------------------------------------------------------------- */

/* The longest of the waits that the members and the messages of an error ask for. */
static uint64_t wait_of(const trip_error_body *error)
{
    uint64_t longest = error->wait_ns, ns;
    for (size_t i = 0; i < error->message_count; i++)
        if (trip_hint_in_text(error->messages[i], &ns) == TRIP_OK && ns > longest)
            longest = ns;
    return longest;
}

/* A code in a message is no more than a phrase: what it stands in may be anybody's. */
static trip_classes phrases_of(const trip_error_body *error)
{
    trip_classes phrases = 0;
    for (size_t i = 0; i < error->message_count; i++)
        trip_symptoms_in_text(error->messages[i], &phrases, &phrases);
    return phrases;
}

/* An error that came with a success, or with no status, may give one for itself. */
static const status_rule *rule_of_error(uint32_t http_status, const trip_error_body *error)
{
    return http_status == 0 || rule_of(http_status)->class == TRIP_CLASS_SUCCESS ? rule_of(error->http_status)
                                                                                 : rule_of(http_status);
}

static void classify_response(trip_text body, trip_outcome *outcome)
{
    trip_error_body error;
    trip_read_error_body(body, &error);
    if (!error.is_error && rule_of(outcome->http_status)->class == TRIP_CLASS_SUCCESS) {
        outcome->status_class = TRIP_CLASS_SUCCESS;
        return;
    }
    if (!error.is_json) /* a proxy's page, or a sentence */
        error.messages[error.message_count++] = body;
    const status_rule *rule = rule_of_error(outcome->http_status, &error);
    outcome->status_class = decide(rule, error.told, rule->by_phrase == 0 ? 0 : phrases_of(&error));
    outcome->retry_after_ns = wait_of(&error);
}

trip_status trip_classify_http(uint32_t http_status, const char *body, size_t body_len, trip_outcome *out_outcome)
{
    if (out_outcome == NULL || !trip_abi_may_write(out_outcome, TRIP_OUTCOME_SIZE_1_2) ||
        !trip_abi_said(&body, &body_len))
        return TRIP_E_INVALID;
    trip_outcome outcome = {.http_status = http_status};
    classify_response((trip_text){body, body_len}, &outcome);
    trip_abi_write(out_outcome, &outcome, sizeof outcome);
    return TRIP_OK;
}

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

/* A text may have an error object in it, which a client prints behind its own words. */
static void classify_words(trip_text text, trip_outcome *outcome)
{
    const char *brace = memchr(text.at, '{', text.len);
    trip_error_body error = {.is_json = false};
    if (brace != NULL)
        trip_read_error_body(trip_text_from(text, (size_t)(brace - text.at)), &error);
    uint32_t named = trip_status_in_text(text);
    outcome->http_status = named != 0 ? named : error.http_status;
    trip_classes phrases = 0;
    trip_symptoms_in_text(text, &error.told, &phrases);
    outcome->status_class = decide(rule_of(outcome->http_status), error.told, phrases);
    error.message_count = 0; /* they are parts of the text */
    error.messages[error.message_count++] = text;
    outcome->retry_after_ns = wait_of(&error);
}

trip_status trip_classify_text(const char *text, size_t text_len, trip_outcome *out_outcome)
{
    if (out_outcome == NULL || !trip_abi_may_write(out_outcome, TRIP_OUTCOME_SIZE_1_2) ||
        !trip_abi_said(&text, &text_len))
        return TRIP_E_INVALID;
    trip_outcome outcome = {.sys_errno = 0};
    classify_words((trip_text){text, text_len}, &outcome);
    trip_abi_write(out_outcome, &outcome, sizeof outcome);
    return TRIP_OK;
}

/* ---- The system's errors ----------------------------------------------------------------------------------------- */

static const struct failure {
    int32_t error;
    uint32_t class;
} failures[] = {
    {ECONNREFUSED, TRIP_CLASS_NETWORK},   {ECONNRESET, TRIP_CLASS_NETWORK}, {ECONNABORTED, TRIP_CLASS_NETWORK},
    {EPIPE, TRIP_CLASS_NETWORK},          {ENOTCONN, TRIP_CLASS_NETWORK},   {ESHUTDOWN, TRIP_CLASS_NETWORK},
    {EHOSTUNREACH, TRIP_CLASS_NETWORK},   {EHOSTDOWN, TRIP_CLASS_NETWORK},  {ENETUNREACH, TRIP_CLASS_NETWORK},
    {ENETDOWN, TRIP_CLASS_NETWORK},       {ENETRESET, TRIP_CLASS_NETWORK},  {ENONET, TRIP_CLASS_NETWORK},
    {EPROTO, TRIP_CLASS_NETWORK},         {ETIMEDOUT, TRIP_CLASS_TIMEOUT},  {ETIME, TRIP_CLASS_TIMEOUT},
    {EAGAIN, TRIP_CLASS_TIMEOUT}, /* how a socket's SO_RCVTIMEO ends */
    {ECANCELED, TRIP_CLASS_CANCELLED},    {EAI_NONAME, TRIP_CLASS_NETWORK}, {EAI_NODATA, TRIP_CLASS_NETWORK},
    {EAI_ADDRFAMILY, TRIP_CLASS_NETWORK}, {EAI_AGAIN, TRIP_CLASS_NETWORK},  {EAI_FAIL, TRIP_CLASS_NETWORK},
    {EAI_CANCELED, TRIP_CLASS_CANCELLED},
};

trip_status trip_classify_errno(int32_t sys_errno, trip_outcome *out_outcome)
{
    if (out_outcome == NULL || !trip_abi_may_write(out_outcome, TRIP_OUTCOME_SIZE_1_2))
        return TRIP_E_INVALID;
    trip_outcome outcome = {.status_class = TRIP_CLASS_UNKNOWN, .sys_errno = sys_errno};
    for (size_t i = 0; i < COUNT(failures); i++)
        if (failures[i].error == sys_errno)
            outcome.status_class = failures[i].class;
    trip_abi_write(out_outcome, &outcome, sizeof outcome);
    return TRIP_OK;
}

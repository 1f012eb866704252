/* The tables, one line to a symptom. Those of OpenAI, Azure, Anthropic, Google, Amazon, Mistral, Cohere and of those
   who answer in their manner; then what clients say of networks. All in lower case. */
#include "symptom.h"

#include "trip.h"

#include <string.h>

typedef struct symptom {
    const char *text;
    uint32_t class;
} symptom;

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* ---- Codes and types --------------------------------------------------------------------------------------------- */

static const symptom codes[] = {
    {"insufficient_quota", TRIP_CLASS_QUOTA},
    {"billing_hard_limit_reached", TRIP_CLASS_QUOTA},
    {"billing_not_active", TRIP_CLASS_QUOTA},
    {"billing_error", TRIP_CLASS_QUOTA},
    {"quota_exceeded", TRIP_CLASS_QUOTA},
    {"quotaexceeded", TRIP_CLASS_QUOTA},
    {"dailylimitexceeded", TRIP_CLASS_QUOTA},
    {"exceeded_current_quota_error", TRIP_CLASS_QUOTA},
    {"insufficient_balance", TRIP_CLASS_QUOTA},
    {"insufficient_credits", TRIP_CLASS_QUOTA},
    {"insufficient_user_quota", TRIP_CLASS_QUOTA},
    {"usage_limit_reached", TRIP_CLASS_QUOTA},
    {"payment_required", TRIP_CLASS_QUOTA},
    {"servicequotaexceededexception", TRIP_CLASS_QUOTA},

    {"context_length_exceeded", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"context_window_exceeded", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"exceed_context_size_error", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"model_max_prompt_tokens_exceeded", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"tokens_limit_reached", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"request_too_large", TRIP_CLASS_CONTEXT_OVERFLOW},

    {"content_filter", TRIP_CLASS_CONTENT_FILTERED},
    {"content_policy_violation", TRIP_CLASS_CONTENT_FILTERED},
    {"responsibleaipolicyviolation", TRIP_CLASS_CONTENT_FILTERED},
    {"moderation_blocked", TRIP_CLASS_CONTENT_FILTERED},
    {"data_inspection_failed", TRIP_CLASS_CONTENT_FILTERED},
    {"prohibited_content", TRIP_CLASS_CONTENT_FILTERED},

    {"invalid_api_key", TRIP_CLASS_AUTH},
    {"authentication_error", TRIP_CLASS_AUTH},
    {"invalid_authentication_error", TRIP_CLASS_AUTH},
    {"permission_error", TRIP_CLASS_AUTH},
    {"account_deactivated", TRIP_CLASS_AUTH},
    {"insufficient_permissions", TRIP_CLASS_AUTH},
    {"unsupported_country_region_territory", TRIP_CLASS_AUTH},
    {"unauthenticated", TRIP_CLASS_AUTH},
    {"permission_denied", TRIP_CLASS_AUTH},
    {"api_key_invalid", TRIP_CLASS_AUTH},
    {"api_key_service_blocked", TRIP_CLASS_AUTH},
    {"service_disabled", TRIP_CLASS_AUTH},
    {"unauthorized", TRIP_CLASS_AUTH},
    {"forbidden", TRIP_CLASS_AUTH},
    {"accessdeniedexception", TRIP_CLASS_AUTH},
    {"unrecognizedclientexception", TRIP_CLASS_AUTH},
    {"expiredtokenexception", TRIP_CLASS_AUTH},

    {"rate_limit_exceeded", TRIP_CLASS_RATE_LIMITED},
    {"rate_limit_error", TRIP_CLASS_RATE_LIMITED},
    {"rate_limit_reached_error", TRIP_CLASS_RATE_LIMITED},
    {"rate_limited", TRIP_CLASS_RATE_LIMITED},
    {"ratelimitexceeded", TRIP_CLASS_RATE_LIMITED},
    {"ratelimitreached", TRIP_CLASS_RATE_LIMITED},
    {"resource_exhausted", TRIP_CLASS_RATE_LIMITED},
    {"too_many_requests", TRIP_CLASS_RATE_LIMITED},
    {"toomanyrequests", TRIP_CLASS_RATE_LIMITED},
    {"toomanyrequestsexception", TRIP_CLASS_RATE_LIMITED},
    {"throttlingexception", TRIP_CLASS_RATE_LIMITED},

    {"overloaded_error", TRIP_CLASS_OVERLOADED},
    {"overloaded", TRIP_CLASS_OVERLOADED},
    {"engine_overloaded", TRIP_CLASS_OVERLOADED},
    {"engine_overloaded_error", TRIP_CLASS_OVERLOADED},
    {"server_overloaded", TRIP_CLASS_OVERLOADED},
    {"server_is_overloaded", TRIP_CLASS_OVERLOADED},
    {"service_tier_capacity_exceeded", TRIP_CLASS_OVERLOADED},
    {"slow_down", TRIP_CLASS_OVERLOADED},
    {"modelnotreadyexception", TRIP_CLASS_OVERLOADED},

    {"timeout_error", TRIP_CLASS_TIMEOUT},
    {"request_timeout", TRIP_CLASS_TIMEOUT},
    {"timeout", TRIP_CLASS_TIMEOUT},
    {"deadline_exceeded", TRIP_CLASS_TIMEOUT},
    {"modeltimeoutexception", TRIP_CLASS_TIMEOUT},

    {"api_error", TRIP_CLASS_SERVER_ERROR},
    {"server_error", TRIP_CLASS_SERVER_ERROR},
    {"internal_error", TRIP_CLASS_SERVER_ERROR},
    {"internal_server_error", TRIP_CLASS_SERVER_ERROR},
    {"service_unavailable", TRIP_CLASS_SERVER_ERROR},
    {"internal", TRIP_CLASS_SERVER_ERROR},
    {"unavailable", TRIP_CLASS_SERVER_ERROR},
    {"internalserverexception", TRIP_CLASS_SERVER_ERROR},
    {"serviceunavailableexception", TRIP_CLASS_SERVER_ERROR},
    {"modelerrorexception", TRIP_CLASS_SERVER_ERROR},
    {"modelstreamerrorexception", TRIP_CLASS_SERVER_ERROR},

    {"not_found_error", TRIP_CLASS_NOT_FOUND},
    {"model_not_found", TRIP_CLASS_NOT_FOUND},
    {"not_found", TRIP_CLASS_NOT_FOUND},
    {"deploymentnotfound", TRIP_CLASS_NOT_FOUND},
    {"resourcenotfoundexception", TRIP_CLASS_NOT_FOUND},

    {"invalid_request_error", TRIP_CLASS_INVALID_REQUEST},
    {"invalid_argument", TRIP_CLASS_INVALID_REQUEST},
    {"failed_precondition", TRIP_CLASS_INVALID_REQUEST},
    {"out_of_range", TRIP_CLASS_INVALID_REQUEST},
    {"bad_request", TRIP_CLASS_INVALID_REQUEST},
    {"validationexception", TRIP_CLASS_INVALID_REQUEST},

    {"cancelled", TRIP_CLASS_CANCELLED},
    {"request_cancelled", TRIP_CLASS_CANCELLED},
};

/* ---- Phrases ----------------------------------------------------------------------------------------------------- */

static const symptom phrases[] = {
    {"exceeded your current quota", TRIP_CLASS_QUOTA},
    {"billing hard limit has been reached", TRIP_CLASS_QUOTA},
    {"credit balance is too low", TRIP_CLASS_QUOTA},
    {"insufficient credits", TRIP_CLASS_QUOTA},
    {"insufficient balance", TRIP_CLASS_QUOTA},
    {"requires more credits", TRIP_CLASS_QUOTA},
    {"used all available credits", TRIP_CLASS_QUOTA},
    {"payment required", TRIP_CLASS_QUOTA},

    {"maximum context length", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"exceeds the context window", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"exceed context limit", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"exceeds the available context size", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"context window exceeds limit", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"prompt is too long", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"prompt too long", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"input is too long", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"maximum prompt length", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"exceeds the maximum number of tokens allowed", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"input token count is # but", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"prompt token count of # exceeds", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"exceeded model token limit", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"too many tokens", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"must have less than # tokens", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"reduce the length of the messages", TRIP_CLASS_CONTEXT_OVERFLOW},
    {"request entity too large", TRIP_CLASS_CONTEXT_OVERFLOW},

    {"content management policy", TRIP_CLASS_CONTENT_FILTERED},
    {"content filtering policy", TRIP_CLASS_CONTENT_FILTERED},
    {"rejected as a result of our safety system", TRIP_CLASS_CONTENT_FILTERED},
    {"requires moderation", TRIP_CLASS_CONTENT_FILTERED},

    {"invalid api key", TRIP_CLASS_AUTH},
    {"invalid x api key", TRIP_CLASS_AUTH},
    {"incorrect api key", TRIP_CLASS_AUTH},
    {"api key not valid", TRIP_CLASS_AUTH},
    {"unauthorized", TRIP_CLASS_AUTH},
    {"authenticationerror", TRIP_CLASS_AUTH},
    {"permissiondeniederror", TRIP_CLASS_AUTH},

    {"rate limit", TRIP_CLASS_RATE_LIMITED},
    {"rate limits", TRIP_CLASS_RATE_LIMITED},
    {"rate limited", TRIP_CLASS_RATE_LIMITED},
    {"ratelimiterror", TRIP_CLASS_RATE_LIMITED},
    {"too many requests", TRIP_CLASS_RATE_LIMITED},
    {"resource has been exhausted", TRIP_CLASS_RATE_LIMITED},
    {"resource exhausted", TRIP_CLASS_RATE_LIMITED},
    {"resourceexhausted", TRIP_CLASS_RATE_LIMITED},

    {"overloaded", TRIP_CLASS_OVERLOADED},
    {"over capacity", TRIP_CLASS_OVERLOADED},
    {"at capacity", TRIP_CLASS_OVERLOADED},
    {"experiencing high demand", TRIP_CLASS_OVERLOADED},
    {"experiencing high load", TRIP_CLASS_OVERLOADED},

    {"timed out", TRIP_CLASS_TIMEOUT},
    {"etimedout", TRIP_CLASS_TIMEOUT},
    {"deadline exceeded", TRIP_CLASS_TIMEOUT},
    {"deadlineexceeded", TRIP_CLASS_TIMEOUT},
    {"request timeout", TRIP_CLASS_TIMEOUT},
    {"gateway timeout", TRIP_CLASS_TIMEOUT},
    {"gateway time out", TRIP_CLASS_TIMEOUT},
    {"read timeout", TRIP_CLASS_TIMEOUT},
    {"connect timeout", TRIP_CLASS_TIMEOUT},
    {"connection timeout", TRIP_CLASS_TIMEOUT},
    {"handshake timeout", TRIP_CLASS_TIMEOUT},
    {"i o timeout", TRIP_CLASS_TIMEOUT},
    {"headers timeout error", TRIP_CLASS_TIMEOUT},
    {"timeout exceeded", TRIP_CLASS_TIMEOUT},
    {"timeout of # exceeded", TRIP_CLASS_TIMEOUT},
    {"timeout of # seconds", TRIP_CLASS_TIMEOUT},
    {"timeouterror", TRIP_CLASS_TIMEOUT},
    {"timeoutexception", TRIP_CLASS_TIMEOUT},
    {"apitimeouterror", TRIP_CLASS_TIMEOUT},
    {"readtimeout", TRIP_CLASS_TIMEOUT},
    {"connecttimeout", TRIP_CLASS_TIMEOUT},

    {"context canceled", TRIP_CLASS_CANCELLED},
    {"context cancelled", TRIP_CLASS_CANCELLED},
    {"operation canceled", TRIP_CLASS_CANCELLED},
    {"operation was canceled", TRIP_CLASS_CANCELLED},
    {"operation was aborted", TRIP_CLASS_CANCELLED},
    {"request was canceled", TRIP_CLASS_CANCELLED},
    {"request was cancelled", TRIP_CLASS_CANCELLED},
    {"request was aborted", TRIP_CLASS_CANCELLED},
    {"user aborted a request", TRIP_CLASS_CANCELLED},
    {"cancellederror", TRIP_CLASS_CANCELLED},
    {"aborterror", TRIP_CLASS_CANCELLED},
    {"ecanceled", TRIP_CLASS_CANCELLED},

    {"name or service not known", TRIP_CLASS_NETWORK},
    {"nodename nor servname provided", TRIP_CLASS_NETWORK},
    {"temporary failure in name resolution", TRIP_CLASS_NETWORK},
    {"no address associated with hostname", TRIP_CLASS_NETWORK},
    {"could not resolve host", TRIP_CLASS_NETWORK},
    {"failed to lookup address information", TRIP_CLASS_NETWORK},
    {"no such host", TRIP_CLASS_NETWORK},
    {"dns error", TRIP_CLASS_NETWORK},
    {"enotfound", TRIP_CLASS_NETWORK},
    {"eai_again", TRIP_CLASS_NETWORK},
    {"eai_noname", TRIP_CLASS_NETWORK},
    {"connection refused", TRIP_CLASS_NETWORK},
    {"connection reset", TRIP_CLASS_NETWORK},
    {"connection aborted", TRIP_CLASS_NETWORK},
    {"connection error", TRIP_CLASS_NETWORK},
    {"connection closed before", TRIP_CLASS_NETWORK},
    {"apiconnectionerror", TRIP_CLASS_NETWORK},
    {"broken pipe", TRIP_CLASS_NETWORK},
    {"socket hang up", TRIP_CLASS_NETWORK},
    {"fetch failed", TRIP_CLASS_NETWORK},
    {"network is unreachable", TRIP_CLASS_NETWORK},
    {"no route to host", TRIP_CLASS_NETWORK},
    {"server disconnected", TRIP_CLASS_NETWORK},
    {"remote end closed connection", TRIP_CLASS_NETWORK},
    {"peer closed connection", TRIP_CLASS_NETWORK},
    {"incomplete chunked read", TRIP_CLASS_NETWORK},
    {"unexpected eof", TRIP_CLASS_NETWORK},
    {"error sending request for url", TRIP_CLASS_NETWORK},
    {"econnrefused", TRIP_CLASS_NETWORK},
    {"econnreset", TRIP_CLASS_NETWORK},
    {"econnaborted", TRIP_CLASS_NETWORK},
    {"ehostunreach", TRIP_CLASS_NETWORK},
    {"enetunreach", TRIP_CLASS_NETWORK},
    {"epipe", TRIP_CLASS_NETWORK},
    {"certificate verify failed", TRIP_CLASS_NETWORK},
    {"certificate has expired", TRIP_CLASS_NETWORK},
    {"certificate is not trusted", TRIP_CLASS_NETWORK},
    {"self signed certificate", TRIP_CLASS_NETWORK},
    {"unable to verify the first certificate", TRIP_CLASS_NETWORK},
    {"failed to verify certificate", TRIP_CLASS_NETWORK},
    {"invalid peer certificate", TRIP_CLASS_NETWORK},
    {"handshake failure", TRIP_CLASS_NETWORK},
    {"ssl connect error", TRIP_CLASS_NETWORK},
    {"ssl routines", TRIP_CLASS_NETWORK},

    {"internal server error", TRIP_CLASS_SERVER_ERROR},
    {"internalservererror", TRIP_CLASS_SERVER_ERROR},
    {"server had an error", TRIP_CLASS_SERVER_ERROR},
    {"bad gateway", TRIP_CLASS_SERVER_ERROR},
    {"service unavailable", TRIP_CLASS_SERVER_ERROR},
    {"service temporarily unavailable", TRIP_CLASS_SERVER_ERROR},
    {"upstream connect error", TRIP_CLASS_SERVER_ERROR},
    {"internal error encountered", TRIP_CLASS_SERVER_ERROR},

    {"model not found", TRIP_CLASS_NOT_FOUND},
    {"notfounderror", TRIP_CLASS_NOT_FOUND},

    {"badrequesterror", TRIP_CLASS_INVALID_REQUEST},
};

/* ---- Statuses ---------------------------------------------------------------------------------------------------- */

/* What stands before a number that is an HTTP status, as # here. */
static const char *const before_status[] = {
    "http #",       "http 1 0 #",    "http 1 1 #",    "http 2 #",           "http 2 0 #",      "http 3 #",
    "http error #", "http code #",   "http status #", "http status code #", "status #",        "status code #",
    "statuscode #", "status_code #", "http_status #", "error code #",       "response code #", "error #",
};

/* What stands behind one. */
static const char *const behind_status[] = {
    "bad request",
    "unauthorized",
    "payment required",
    "forbidden",
    "not found",
    "request timeout",
    "conflict",
    "payload too large",
    "content too large",
    "request entity too large",
    "unprocessable entity",
    "unprocessable content",
    "too many requests",
    "internal server error",
    "not implemented",
    "bad gateway",
    "service unavailable",
    "service temporarily unavailable",
    "gateway timeout",
    "gateway time out",
    "overloaded",
    "resource_exhausted",
    "unavailable",
    "deadline_exceeded",
    "invalid_argument",
    "permission_denied",
    "unauthenticated",
    "you exceeded your current quota",
    "client error",
    "server error",
};

/* ---- The search -------------------------------------------------------------------------------------------------- */

trip_classes trip_symptom_of_code(trip_text code)
{
    for (size_t i = 0; i < COUNT(codes); i++)
        if (trip_text_is(code, codes[i].text))
            return TRIP_CLASS_BIT(codes[i].class);
    return 0;
}

/* "internal" and "timeout" are words of a language; "api_error" and "ThrottlingException" are not. */
static bool is_unmistakable(trip_text word)
{
    static const char suffix[] = "exception";
    size_t len = sizeof suffix - 1;
    return memchr(word.at, '_', word.len) != NULL ||
           (word.len > len && trip_text_is(trip_text_from(word, word.len - len), suffix));
}

void trip_symptoms_in_text(trip_text text, trip_classes *by_code, trip_classes *by_phrase)
{
    trip_text word;
    for (size_t position = 0, begin = 0; trip_next_word(text, &position, &word); begin = position) {
        if (is_unmistakable(word))
            *by_code |= trip_symptom_of_code(word);
        for (size_t i = 0; i < COUNT(phrases); i++) {
            size_t end = begin;
            if (phrases[i].text[0] == trip_lower(word.at[0]) && trip_phrase_follows(text, &end, phrases[i].text))
                *by_phrase |= TRIP_CLASS_BIT(phrases[i].class);
        }
    }
}

/* Whether what stands at `at`, if anything does, makes the number beside it a part of something: "-429", "429%". */
static bool is_glue(trip_text text, size_t at)
{
    static const char glue[] = {'-', '.', ',', '$', '#', '%'};
    return at < text.len && memchr(glue, text.at[at], sizeof glue) != NULL;
}

/* The status that the word at `begin` is, of `len` characters: 0 if it is no number, or not of an error. A point or a
   comma may end the sentence. */
static uint32_t status_at(trip_text text, size_t begin, size_t len)
{
    const char *digit = text.at + begin;
    size_t end = begin + len;
    if (len != 3 || (digit[0] != '4' && digit[0] != '5') || !trip_is_digit(digit[1]) || !trip_is_digit(digit[2]))
        return 0;
    bool ends_here = end + 1 >= text.len || !trip_is_word_char(text.at[end + 1]);
    if ((begin > 0 && is_glue(text, begin - 1)) || (is_glue(text, end) && !(strchr(".,", text.at[end]) && ends_here)))
        return 0;
    return (uint32_t)((digit[0] - '0') * 100 + (digit[1] - '0') * 10 + (digit[2] - '0'));
}

/* The status at the end of words that lead up to one, of which the first is at `begin`. */
static uint32_t status_led_up_to(trip_text text, size_t begin)
{
    for (size_t i = 0; i < COUNT(before_status); i++) {
        size_t end = begin, last = begin;
        if (!trip_phrase_follows(text, &end, before_status[i]))
            continue;
        for (last = end; last > begin && trip_is_word_char(text.at[last - 1]); last--)
            ;
        uint32_t status = status_at(text, last, end - last);
        if (status != 0)
            return status;
    }
    return 0;
}

/* The status that stands at `begin` before the words that belong to one or, as the first of all words, before an
   object: that is how clients print a response. */
static uint32_t status_with_reason(trip_text text, size_t begin, size_t end)
{
    static const char before_object[] = " {";
    uint32_t status = status_at(text, begin, end - begin);
    if (begin == 0 && text.len - end > 2 && memcmp(text.at + end, before_object, 2) == 0)
        return status;
    for (size_t i = 0; status != 0 && i < COUNT(behind_status); i++) {
        size_t position = end;
        if (trip_phrase_follows(text, &position, behind_status[i]))
            return status;
    }
    return 0;
}

uint32_t trip_status_in_text(trip_text text)
{
    trip_text word;
    uint32_t status = 0;
    for (size_t position = 0; status == 0 && trip_next_word(text, &position, &word);) {
        size_t begin = (size_t)(word.at - text.at);
        if (trip_is_digit(word.at[0]))
            status = status_with_reason(text, begin, position);
        else if (strchr("hser", trip_lower(word.at[0])) != NULL) /* the letters that a table's lines begin with */
            status = status_led_up_to(text, begin);
    }
    return status;
}

/* Rules, as rules.h describes them: uthash, by scope and texts. */
#include <stddef.h>

#include "hashing.h"

#include "name.h"
#include "registry.h"
#include "rules.h"

#include <string.h>

typedef struct trip_rule {
    UT_hash_handle by_text;
    uint32_t place;
    unsigned char text[]; /* scope, then length and bytes of tenant and of provider */
} trip_rule;

#define TEXT_MAX (3 + 2 * (size_t)UINT8_MAX)

static size_t write_text(const trip_subject *subject, unsigned char *out_text)
{
    unsigned char *end = out_text;
    *end++ = (unsigned char)subject->scope;
    end = trip_name_append(end, subject->tenant, subject->tenant_len);
    end = trip_name_append(end, subject->provider, subject->provider_len);
    return (size_t)(end - out_text);
}

/* Keyed, as names may be hostile; the scope tells apart rules about the same names. */
static unsigned hash_of(const trip_subject *subject)
{
    trip_hash hash = trip_key_hash(subject->tenant, subject->tenant_len, subject->provider, subject->provider_len);
    return (unsigned)hash.low + subject->scope;
}

static trip_rule *find(const trip_rules *rules, const trip_subject *subject)
{
    unsigned char text[TEXT_MAX];
    size_t len = write_text(subject, text);
    unsigned hash = hash_of(subject);
    trip_rule *rule;
    HASH_FIND_BYHASHVALUE(by_text, rules->by_text, text, (unsigned)len, hash, rule);
    return rule;
}

uint32_t *trip_rules_find(const trip_rules *rules, const trip_subject *subject)
{
    trip_rule *rule = rules->count == 0 ? NULL : find(rules, subject);
    return rule == NULL ? NULL : &rule->place;
}

uint32_t *trip_rules_add(trip_rules *rules, const trip_subject *subject)
{
    unsigned char text[TEXT_MAX];
    size_t len = write_text(subject, text);
    trip_rule *rule = trip_allocate(sizeof *rule + len);
    if (rule == NULL)
        return NULL;
    memcpy(rule->text, text, len);
    unsigned hash = hash_of(subject);
    rule->place = TRIP_RULE_NONE;
    HASH_ADD_KEYPTR_BYHASHVALUE(by_text, rules->by_text, rule->text, (unsigned)len, hash, rule);
    if (rule->by_text.tbl == NULL) {
        trip_release(rule);
        return NULL;
    }
    rules->count++;
    return &rule->place;
}

static void drop(trip_rules *rules, trip_rule *rule)
{
    HASH_DELETE(by_text, rules->by_text, rule);
    trip_release(rule);
    rules->count--;
}

void trip_rules_remove(trip_rules *rules, const trip_subject *subject)
{
    trip_rule *rule = find(rules, subject);
    if (rule != NULL)
        drop(rules, rule);
}

uint32_t trip_rules_resolve(const trip_rules *rules, const char *tenant, size_t tenant_len, const char *provider,
                            size_t provider_len, uint32_t *place)
{
    const trip_subject subjects[] = {
        {TRIP_SCOPE_CIRCUIT, tenant, provider, tenant_len, provider_len},
        {TRIP_SCOPE_TENANT, tenant, NULL, tenant_len, 0},
        {TRIP_SCOPE_PROVIDER, NULL, provider, 0, provider_len},
    };
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects && rules->count != 0; i++) {
        const uint32_t *found = trip_rules_find(rules, &subjects[i]);
        if (found == NULL || *found == TRIP_RULE_NONE)
            continue;
        *place = *found;
        return subjects[i].scope;
    }
    return TRIP_SCOPE_TRACKER;
}

void trip_rules_clear(trip_rules *rules)
{
    while (rules->by_text != NULL) {
        trip_policy_withdraw(rules->by_text->place);
        drop(rules, rules->by_text);
    }
}

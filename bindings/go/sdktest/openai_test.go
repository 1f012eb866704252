// This file owns how OpenAI's SDK is called, and what OpenAI answers.

package sdktest_test

import (
	"context"
	"fmt"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"libtrip.example/trip/triphttp"
)

var openAI = sdk{
	answer: `{"id": "1", "object": "chat.completion", "model": "m", "choices":
		[{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "forty-two"}}]}`,
	tokens:   []string{openAIToken("forty"), openAIToken("-"), openAIToken("two")},
	lastly:   "data: [DONE]\n\n",
	failed:   "data: {\"error\": {\"code\": \"server_error\", \"message\": \"The server had an error\"}}\n\n",
	overload: `{"error": {"message": "The engine is currently overloaded", "type": "engine_overloaded"}}`,
	asks: func(p *provider, retries, middleware bool) error {
		client := openAIClient(p, retries, middleware)
		answer, err := client.Chat.Completions.New(context.Background(), question)
		if err == nil && answer.Choices[0].Message.Content != "forty-two" {
			err = fmt.Errorf("the answer is %q", answer.Choices[0].Message.Content)
		}
		return err
	},
	opens: func(p *provider, take int) (events int, err error) {
		client := openAIClient(p, true, true)
		stream := client.Chat.Completions.NewStreaming(context.Background(), question)
		for events != take && stream.Next() {
			events++
		}
		err = stream.Err()
		stream.Close()
		return events, err
	},
}

var question = openai.ChatCompletionNewParams{
	Model:    openai.ChatModelGPT4o,
	Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is six times seven?")},
}

func openAIToken(text string) string {
	return fmt.Sprintf("data: {\"object\": \"chat.completion.chunk\", \"choices\": [{\"delta\": {\"content\": %q}}]}\n\n", text)
}

func openAIClient(p *provider, retries, middleware bool) openai.Client {
	options := []option.RequestOption{
		option.WithAPIKey("none"), option.WithBaseURL(p.server.URL), option.WithHTTPClient(p.client),
	}
	if middleware {
		options = append(options, option.WithMiddleware(triphttp.StopRetries))
	}
	if !retries {
		options = append(options, option.WithMaxRetries(0))
	}
	return openai.NewClient(options...)
}

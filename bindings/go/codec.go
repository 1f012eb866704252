// This file owns the bytes of values that calls share.

package trip

import (
	"encoding"
	"fmt"
)

// A codec makes bytes of values, and values of bytes.
type codec[T any] struct {
	encode func(T) ([]byte, error)
	decode func([]byte) (T, error)
}

func (o CallOptions[T]) codec() (codec[T], error) {
	if o.Encode != nil && o.Decode != nil {
		return codec[T]{encode: o.Encode, decode: o.Decode}, nil
	}
	var value T
	_, isMarshaler := any(&value).(encoding.BinaryMarshaler)
	_, isUnmarshaler := any(&value).(encoding.BinaryUnmarshaler)
	switch _, isBytes := any(value).([]byte); {
	case o.Encode != nil || o.Decode != nil:
	case isBytes:
		return codec[T]{
			encode: func(value T) ([]byte, error) { return any(value).([]byte), nil },
			decode: func(bytes []byte) (T, error) { return any(bytes).(T), nil },
		}, nil
	case isText(value):
		return codec[T]{
			encode: func(value T) ([]byte, error) { return []byte(any(value).(string)), nil },
			decode: func(bytes []byte) (T, error) { return any(string(bytes)).(T), nil },
		}, nil
	case isMarshaler && isUnmarshaler:
		return codec[T]{encode: marshal[T], decode: unmarshal[T]}, nil
	}
	return codec[T]{}, fmt.Errorf("%w: a Key needs Encode and Decode for a %T", ErrInvalid, value)
}

func isText(value any) bool {
	_, isText := value.(string)
	return isText
}

func marshal[T any](value T) ([]byte, error) {
	return any(&value).(encoding.BinaryMarshaler).MarshalBinary()
}

func unmarshal[T any](bytes []byte) (value T, err error) {
	err = any(&value).(encoding.BinaryUnmarshaler).UnmarshalBinary(bytes)
	return value, err
}
